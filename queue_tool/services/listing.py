"""List: tasks by a filter, newest first, a page at a time."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from queue_tool.errors import BadCursor
from queue_tool.model import tokens
from queue_tool.model.batch import Batch, Label
from queue_tool.model.details import QueueCounts, Summary
from queue_tool.model.filter import Filter
from queue_tool.model.queues import Priority
from queue_tool.store import PageKey, Store

MOST_COUNTED = 10_000
"""Tasks up to which a total is exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of a list."""

    items: Sequence[Summary]
    next: str | None  # the cursor of the next page; None where this is the last one
    total: int  # of the whole list, at most `MOST_COUNTED`
    is_exact: bool  # False where there are more than `total`


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The service, with what it works on."""

    store: Store

    def __call__(self, wanted: Filter, limit: int = 50, cursor: str | None = None) -> Page:
        """Return a page of the tasks that a filter means, the last one sent first.

        What is sent after the first page was read is on none of the later ones; nothing comes twice.

        Args:
            wanted: the filter.
            limit: tasks on a page.
            cursor: where the page begins, as the page before it has said; None is the first one.

        Raises:
            BadCursor: no page of such a list has said this cursor.
            StoreAway: the database is busy or away.
        """
        before = None if cursor is None else read_cursor(cursor, of_tokens=wanted.is_of_a_time)
        items, last = self.store.listing.page(wanted, limit, before)
        total = self.store.listing.count(wanted, MOST_COUNTED + 1)
        return Page(
            items=items,
            next=None if last is None else write_cursor(last),
            total=min(total, MOST_COUNTED),
            is_exact=total <= MOST_COUNTED,
        )

    def waiting(self, only: Priority | None, limit: int = 50, cursor: str | None = None) -> Page:
        """Return a page of the tasks that wait for a worker, in the order in which they are taken.

        Args:
            only: the queue; None means all of them, the most urgent first.
            limit: tasks on a page.
            cursor: where the page begins, as the page before it has said; None is the first one.

        Raises:
            BadCursor: no page of such a list has said this cursor.
            StoreAway: the database is busy or away.
        """
        priorities = list(Priority) if only is None else [only]
        after, first = (0, 0) if cursor is None else divmod(_number(cursor), len(Priority))
        if first >= len(priorities):
            raise BadCursor
        waiting = {counts.priority: counts.waiting for counts in self.store.queues.counts()}
        items: list[Summary] = []
        following: int | None = None
        for place, priority in enumerate(priorities[first:], start=first):
            found, last = self.store.queues.waiting(priority, limit - len(items), after if place == first else 0)
            items += found
            if last is not None:
                following = last * len(Priority) + place
                break
            if len(items) == limit:
                more = any(waiting[later] for later in priorities[place + 1 :])
                following = place + 1 if more else None
                break
        return Page(
            items=items,
            next=None if following is None else write_cursor(following),
            total=sum(waiting[priority] for priority in priorities),
            is_exact=True,
        )

    def queues(self) -> Sequence[QueueCounts]:
        """Return what waits in each queue, the most urgent first."""
        return self.store.queues.counts()

    def batches(self, label: Label, limit: int = 50, cursor: str | None = None) -> tuple[Sequence[Batch], str | None]:
        """Return a page of the batches that are called so, the last one sent first, and the next page's cursor.

        Raises:
            BadCursor: no page of such a list has said this cursor.
            StoreAway: the database is busy or away.
        """
        found, last = self.store.batches.page(label, limit, None if cursor is None else _number(cursor))
        return found, None if last is None else write_cursor(last)


def _number(cursor: str) -> int:
    key = read_cursor(cursor)
    assert isinstance(key, int)  # noqa: S101 - or else it would have been refused
    return key


def write_cursor(key: PageKey) -> str:
    """Return a row's key as users pass it back to us."""
    return base64.urlsafe_b64encode(str(key).encode()).decode().rstrip("=")


def read_cursor(cursor: str, *, of_tokens: bool = False) -> PageKey:
    """Return the key that a cursor stands for.

    Raises:
        BadCursor: it stands for none, or for one of the other kind.
    """
    try:
        key = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise BadCursor from None
    if of_tokens and tokens.is_well_formed(key):
        return key
    if not of_tokens and key.isdecimal() and len(key) < len(str(2**63)):
        return int(key)
    raise BadCursor
