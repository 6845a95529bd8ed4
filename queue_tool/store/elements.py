"""Elements: what a request adds to an open batch, kept whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from queue_tool.errors import BatchNotFound, BatchSealed, QueueToolError, WrongStart
from queue_tool.model.batch import NewBatch
from queue_tool.model.new_task import NewTask
from queue_tool.store import line, parts, unique
from queue_tool.store.added import Added
from queue_tool.store.adding import add_refusals, add_tasks
from queue_tool.store.engine.database import micros
from queue_tool.store.growth import Growth
from queue_tool.store.parts import Part
from queue_tool.store.tables import batches, tasks
from queue_tool.store.tables import parts as table
from queue_tool.store.waiting_count import WaitingCount


@dataclass(frozen=True, slots=True, kw_only=True)
class Elements:
    """The elements that a request adds to a batch."""

    new: NewBatch  # the elements, under the id of the batch
    hold: Sequence[str] = ()  # lists without room in Redis, so that these tickets join the line

    @property
    def tasks(self) -> Sequence[NewTask]:
        """Return the tasks to add."""
        return self.new.accepted

    @property
    def size(self) -> int:
        """Return how many rows are added, about."""
        return len(self.new.elements) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AddElements(Elements):
    """A request to add elements to an open batch."""

    start: int  # how many elements the batch must have before
    digest: str  # of the body of the request

    key = None
    is_plain = False


def lock_batches(connection: Connection, requests: Sequence[AddElements]) -> None:
    """Lock the elements of the open batches of these requests, always in the same order."""
    for batch in sorted({request.new.id for request in requests}):
        parts.lock_elements(connection, batch)


def add_elements(
    connection: Connection,
    request: AddElements,
    *,
    most: int,
    sender: int,
    waiting: WaitingCount,
    growth: Growth,
) -> Added:
    """Add elements to an open batch, if it has as many as the request says.

    Args:
        connection: the connection of a transaction that writes and has locked the elements of the batch.
        request: the request.
        most: the most tasks that may be queued; 0 means no limit.
        sender: the number of the process that pushes the tickets next; 0: a sweeper does it.
        waiting: checks this limit.
        growth: what this transaction adds to open batches. It gets these elements.

    Raises:
        TooManyWaiting: more than `most` tasks would be queued; nothing was added.
    """
    new, instead = request.new, None
    row = connection.execute(_BATCH, {"public": new.id}).first()
    if row is None:
        return Added(error=BatchNotFound())
    if row.filled_at is None:
        return Added(error=BatchSealed())
    before, refusal = repeated_or_refused(connection, request, row.accepted + row.rejected + growth.of(new.id))
    if refusal is not None or before is not None or not new.elements:
        return Added(repeated=before, error=refusal)
    if keys := new.unique_keys:
        new = new.without_duplicates(unique.taken(connection, keys))
        instead = None if new is request.new else new
    waiting.require_room(connection, len(new.accepted), most)
    add_tasks(connection, new.accepted, row.id, new.created_at, micros(new.created_at))
    add_refusals(connection, new.refused, row.id)
    growth.add(new)
    part, held, behind = _part(connection, request, new, row.id, sender)
    connection.execute(insert(table), parts.row_of(part))
    return Added(instead=instead, held=held, part=part, behind=behind)


def _part(
    connection: Connection, request: AddElements, new: NewBatch, batch_id: int, sender: int
) -> tuple[Part, bool, frozenset[str]]:
    """Return the part of the new elements, and what `_join` says about their tickets: the first two values."""
    held, behind, after = _join(connection, request, new, batch_id)
    part = Part(
        batch=new.id,
        batch_id=batch_id,
        start=request.start,
        count=len(new.elements),
        digest=request.digest,
        after=after,
        last=_row(connection, new.accepted[-1].token) if new.accepted else after,
        in_line=bool(behind),
        sender=sender if behind or (new.lists and not held) else None,
        created_at=new.created_at,
    )
    return part, held, behind


def repeated_or_refused(
    connection: Connection, request: AddElements, total: int
) -> tuple[Part | None, QueueToolError | None]:
    """Return the part that an earlier request with the same elements added, or why these cannot be added.

    Args:
        connection: the connection of a transaction.
        request: the request.
        total: how many elements the batch has.
    """
    if request.start == total:
        return None, None
    before = parts.find(connection, request.new.id, request.start)
    if before is None or before.digest != request.digest:
        return None, WrongStart.because(total)
    return before, None


def _join(
    connection: Connection, request: AddElements, new: NewBatch, batch_id: int
) -> tuple[bool, frozenset[str], int]:
    """Let new tickets join the lines of their lists, if they must.

    Returns:
        Whether they wait in line; the lists in which earlier tickets of the batch wait before them; and the row after
        which the tasks begin.
    """
    lists, refused_only = new.lists, not new.accepted
    after = _last_row(connection, batch_id) if refused_only else _row(connection, new.accepted[0].token) - 1
    if not line.must_wait(connection, request.hold, lists):
        return False, frozenset(), after
    behind = lists & parts.lists_in_line(connection, batch_id)
    joining = sorted(lists - behind)
    if joining:
        unchecked = parts.first_behind(connection, batch_id)
        line.join(connection, [(new.id, name) for name in joining], after if unchecked is None else unchecked)
    return True, frozenset(behind), after


def _row(connection: Connection, token: str) -> int:
    row: int = connection.execute(_ROW, {"token": token}).scalar_one()
    return row


def _last_row(connection: Connection, batch_id: int) -> int:
    """Return the last task of a batch; 0 if it has none."""
    found: Any = connection.execute(_LAST_ROW, {"batch": batch_id}).scalar()
    return int(found or 0)


_BATCH = select(batches.c.id, batches.c.accepted, batches.c.rejected, batches.c.filled_at).where(
    batches.c.public_id == bindparam("public")
)

_ROW = select(tasks.c.id).where(tasks.c.token == bindparam("token"))

_LAST_ROW = select(table.c.last).where(table.c.batch_id == bindparam("batch")).order_by(table.c.start.desc()).limit(1)
