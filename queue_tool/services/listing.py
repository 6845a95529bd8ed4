"""List: tasks that match a filter, newest first, one page at a time."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from queue_tool.errors import BadCursor
from queue_tool.model import tokens
from queue_tool.model.batch import Batch, Label
from queue_tool.model.details import QueueCounts, Summary
from queue_tool.model.filter import Filter
from queue_tool.model.queues import Priority
from queue_tool.model.states import State
from queue_tool.store import PageKey, Store, Worker

MOST_COUNTED = 10_000
"""A total is exact up to this number of tasks or batches."""


Item = TypeVar("Item")

LONGEST_CURSOR = 64
"""Characters. Our own cursors are shorter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """One page of a list."""

    items: Sequence[Item]
    next: str | None  # the cursor of the next page; None on the last page
    total: int  # the number of items in the whole list
    is_exact: bool  # False if the list has more than `total` items


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePage(Page[Summary]):
    """One page of the queued tasks, with the counts of all queues at the same moment."""

    queues: Sequence[QueueCounts]  # the most urgent first


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Lists tasks, queues and batches."""

    store: Store

    def __call__(self, wanted: Filter, limit: int = 50, cursor: str | None = None) -> Page[Summary]:
        """Return a page of the tasks that match a filter, newest first.

        A task that is sent after the first page was read appears on no later page. No task appears twice.

        Args:
            wanted: the filter.
            limit: the maximum number of tasks on a page.
            cursor: `next` of the page before; None for the first page.

        Raises:
            BadCursor: the cursor is malformed or belongs to another kind of list.
            StoreAway: the database is busy or away.
        """
        before = None if cursor is None else read_cursor(cursor, of_tokens=wanted.limits_creation_time)
        items, last = self.store.listing.page(wanted, limit, before)
        is_all = cursor is None and last is None
        total, is_exact = (len(items), True) if is_all else self.number(wanted)
        return Page(items=items, next=None if last is None else write_cursor(last), total=total, is_exact=is_exact)

    def number(self, wanted: Filter) -> tuple[int, bool]:
        """Return how many tasks match a filter, and whether that is exact: it counts at most `MOST_COUNTED` of them.

        Raises:
            StoreAway: the database is busy or away.
        """
        found = self.store.listing.count(wanted, MOST_COUNTED + 1)
        return min(found, MOST_COUNTED), found <= MOST_COUNTED

    def waiting(self, only: Priority | None, limit: int = 50, cursor: str | None = None) -> QueuePage:
        """Return a page of the queued tasks, the most urgent queue first, and the counts of all queues.

        Args:
            only: the queue; None means all queues, the most urgent first.
            limit: the maximum number of tasks on a page.
            cursor: `next` of the page before; None for the first page.

        Raises:
            BadCursor: the cursor is malformed or belongs to another kind of list.
            StoreAway: the database is busy or away.
        """
        priorities = list(Priority) if only is None else [only]
        after, first = (0, 0) if cursor is None else divmod(_number(cursor), len(Priority))
        if first >= len(priorities):
            raise BadCursor
        found = self.store.queues.waiting(priorities, limit, first, after)
        place, row = found.following or (0, 0)
        return QueuePage(
            items=found.items,
            next=None if found.following is None else write_cursor(row * len(Priority) + place),
            total=sum(counts.waiting for counts in found.counts if counts.priority in priorities),
            is_exact=True,
            queues=found.counts,
        )

    def states(self) -> Mapping[State, int]:
        """Return how many tasks are in each state."""
        return self.store.states()

    def processes(self) -> Sequence[Worker]:
        """Return the processes of the system that are not known to have ended."""
        return self.store.workers.all()

    def queues(self) -> Sequence[QueueCounts]:
        """Return the counts of each queue, the most urgent first."""
        return self.store.queues.counts()

    def batches(self, label: Label, limit: int = 50, cursor: str | None = None) -> Page[Batch]:
        """Return a page of the batches with this label, newest first.

        Args:
            label: the name and the metadata that a batch must have. Both are optional, and all metadata must match.
            limit: the maximum number of batches on a page.
            cursor: `next` of the page before; None for the first page.

        Raises:
            BadCursor: the cursor is malformed or belongs to another kind of list.
            StoreAway: the database is busy or away.
        """
        found, last = self.store.batches.page(label, limit, None if cursor is None else _number(cursor))
        total = self.store.batches.count(label, MOST_COUNTED + 1)
        return Page(
            items=found,
            next=None if last is None else write_cursor(last),
            total=min(total, MOST_COUNTED),
            is_exact=total <= MOST_COUNTED,
        )


def read_row(cursor: str | None) -> int | None:
    """Return the row that the cursor of a list encodes; None on the first page.

    Raises:
        BadCursor: the cursor encodes no row.
    """
    return None if cursor is None else _number(cursor)


def _number(cursor: str) -> int:
    key = read_cursor(cursor)
    assert isinstance(key, int)  # `read_cursor` refuses anything else
    return key


def write_cursor(key: PageKey) -> str:
    """Return the cursor for a key: an opaque text that users send back."""
    return base64.urlsafe_b64encode(str(key).encode()).decode().rstrip("=")


def read_cursor(cursor: str, *, of_tokens: bool = False) -> PageKey:
    """Return the key that a cursor encodes.

    Args:
        cursor: as the user sent it.
        of_tokens: True if the key must be a token, False if it must be a number.

    Raises:
        BadCursor: the cursor encodes no key, or a key of the other kind.
    """
    if len(cursor) > LONGEST_CURSOR:
        raise BadCursor
    try:
        key = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise BadCursor from None
    if of_tokens and tokens.is_well_formed(key):
        return key
    if not of_tokens and key.isdecimal() and len(key) < len(str(2**63)):
        return int(key)
    raise BadCursor
