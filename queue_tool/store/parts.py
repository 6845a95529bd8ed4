"""Parts: the elements that one request added to an open batch, and whether their tickets were pushed.

The tickets of a part are pushed by the process that kept it, or they wait in line. If earlier tickets of the batch wait
in the line of the same list, the cursor of the batch reaches the new ones too. But a filler may have read the line just
before the part was committed, and then it takes the batch out of the line. So a part behind others is done only after a
check that no filler can disturb.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Text, and_, bindparam, func, select, update

from queue_tool.model.states import State
from queue_tool.store import line
from queue_tool.store.engine.database import Database, micros, moment
from queue_tool.store.engine.locks import lock_name
from queue_tool.store.engine.lookup import Lookup
from queue_tool.store.engine.rows import as_rows, is_among
from queue_tool.store.moves import lock_tokens
from queue_tool.store.pushed_tickets import PushedTickets, mark_pushed
from queue_tool.store.tables import batches, in_state, parts, tasks, windows
from queue_tool.store.tickets import list_of

PAGE = 5000
"""Tasks that one transaction changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The elements that one request added to an open batch."""

    batch: str  # the public id
    batch_id: int
    start: int  # the index of the first element
    count: int  # elements
    digest: str  # of the body of the request
    after: int  # the tasks of the part are those of the batch after this row,
    last: int  # up to this row
    in_line: bool  # whether its tickets wait behind others of the batch, in the same line
    sender: int | None  # the process that pushes its tickets; 0: a sweeper; None: all are in Redis or in line
    created_at: datetime

    @property
    def key(self) -> tuple[int, int]:
        """Return what identifies the part."""
        return self.batch_id, self.start


class Parts:
    """The parts whose tickets are not known to be in Redis or in line."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database
        self._unpushed = Lookup(database, BEING_PUSHED)

    def unpushed(self, now: datetime, grace: timedelta, lives: Callable[[int], bool | None]) -> list[Part]:
        """Return the parts that a sweeper must push, the oldest first.

        Args:
            now: the current time.
            grace: how long after its creation a part is left to its sender, if that has not ended.
            lives: returns whether the process with a number is alive; None if that is not known.
        """
        found = [part_of(row) for row in self._unpushed.all()]
        alive = {sender: lives(sender) for sender in {part.sender for part in found} if sender}
        return [
            part
            for part in found
            if not part.sender or alive[part.sender] is False or not now - grace <= part.created_at <= now
        ]

    def end_grace(self, key: tuple[int, int]) -> None:
        """Let the sweepers push a part, because its sender does not."""
        with self._database.write(durable=False) as connection:
            connection.execute(_END_GRACE, {"batch": key[0], "of_start": key[1]})

    def lists(self, part: Part) -> list[str]:
        """Return the lists of the tickets of a part that wait for a worker."""
        with self._database.read() as connection:
            return sorted(list_of(*kind) for kind in connection.execute(_KINDS, _range(part)))

    def out_of_line(self, part: Part, name: str) -> str | None:
        """Return the last token of a part that waits for a worker in a list, if the batch is not in its line.

        If the batch is in line, or no task of the part waits, the answer is None.
        """
        with self._database.read() as connection:
            if _is_in_line(connection, part, name):
                return None
            priority, lane = line.KINDS[name]
            token: str | None = connection.execute(
                _LAST_WAITING, _range(part) | {"of_priority": priority, "of_lane": lane}
            ).scalar()
            return token

    def join_again(self, part: Part, name: str) -> None:
        """Let a batch join the line of a list from which a filler has taken it too early, if it has not joined yet."""
        with self._database.write(durable=False) as connection:
            lock_elements(connection, part.batch)
            if not _is_in_line(connection, part, name):
                line.join(connection, [(part.batch, name)], part.after)

    def hand_over(self, part: Part, present: Collection[str], now: datetime) -> None:
        """Mark the tickets of a part that are missing in Redis as not pushed, so that sweepers push them one by one.

        Args:
            part: the part, whose sender does not push it.
            present: the ids of the tickets in Redis.
            now: the current time.
        """
        with self._database.read() as connection:
            waiting = connection.execute(_WAITING, _range(part)).scalars().all()
        missing = [token for token in waiting if token not in present]
        for place in range(0, len(missing), PAGE):
            page = missing[place : place + PAGE]
            with self._database.write(durable=False) as connection:
                lock_tokens(connection, page)
                connection.execute(_NOT_PUSHED, as_rows(page))
        self.finish(part.key, now)

    def finish(self, key: tuple[int, int], now: datetime) -> None:
        """Record that all tickets of a part are in Redis, in line, or marked as not pushed."""
        with self._database.write(durable=False) as connection:
            mark_pushed(connection, PushedTickets(at=now, parts=[key]))


def lock_elements(connection: Connection, batch: str) -> None:
    """Lock the elements of an open batch until the transaction ends: no other transaction adds any, or seals it."""
    lock_name(connection, f"elements {batch}")


def find(connection: Connection, batch: str, start: int) -> Part | None:
    """Return the part of a batch that begins with an index, or None."""
    row = connection.execute(_FIND, {"public": batch, "start": start}).first()
    return None if row is None else part_of(row)


def part_of(row: Any) -> Part:
    """Return the part that a row of `parts` with the column `public_id` describes."""
    return Part(
        batch=row.public_id,
        batch_id=row.batch_id,
        start=row.start,
        count=row.count,
        digest=row.digest,
        after=row.after,
        last=row.last,
        in_line=bool(row.in_line),
        sender=row.sender,
        created_at=moment(row.created_at),
    )


def row_of(part: Part) -> dict[str, Any]:
    """Return the row of `parts` that describes a part."""
    return {
        "batch_id": part.batch_id,
        "start": part.start,
        "count": part.count,
        "digest": part.digest,
        "after": part.after,
        "last": part.last,
        "in_line": int(part.in_line),
        "sender": part.sender,
        "created_at": micros(part.created_at),
    }


def lists_in_line(connection: Connection, batch_id: int) -> set[str]:
    """Return the lists in whose lines a batch waits."""
    return set(connection.execute(_LISTS, {"batch": batch_id}).scalars())


def first_behind(connection: Connection, batch_id: int) -> int | None:
    """Return the row after which the first part begins that is behind others and was not checked yet."""
    after: int | None = connection.execute(_FIRST_BEHIND, {"batch": batch_id}).scalar()
    return after


def _is_in_line(connection: Connection, part: Part, name: str) -> bool:
    return name in lists_in_line(connection, part.batch_id)


def _range(part: Part) -> dict[str, int]:
    return {"batch": part.batch_id, "after": part.after, "last": part.last}


_PARTS = select(parts, batches.c.public_id).join_from(parts, batches, batches.c.id == parts.c.batch_id)

BEING_PUSHED = _PARTS.where(parts.c.sender.is_not(None)).order_by(parts.c.batch_id, parts.c.start)

_FIND = _PARTS.where(batches.c.public_id == bindparam("public"), parts.c.start == bindparam("start"))

_LISTS = select(windows.c.list).where(windows.c.batch_id == bindparam("batch"))

_FIRST_BEHIND = select(func.min(parts.c.after)).where(
    parts.c.batch_id == bindparam("batch"), parts.c.sender.is_not(None), parts.c.in_line == 1
)

_END_GRACE = (
    update(parts)
    .where(parts.c.batch_id == bindparam("batch"), parts.c.start == bindparam("of_start"), parts.c.sender.is_not(None))
    .values(sender=0)
)

# The states are no condition of an index here: the rows are found by their batch.
_WAITS: ColumnElement[bool] = and_(
    tasks.c.batch_id == bindparam("batch", type_=BigInteger),
    tasks.c.id > bindparam("after", type_=BigInteger),
    tasks.c.id <= bindparam("last", type_=BigInteger),
    in_state(State.QUEUED, keyed=True),
    tasks.c.run == 1,
    tasks.c.pushed_at.is_not(None),  # a task that came due is pushed alone
)

_KINDS = select(tasks.c.priority, tasks.c.lane).distinct().where(_WAITS)

_WAITING = select(tasks.c.token).where(_WAITS).order_by(tasks.c.id)

_LAST_WAITING = (
    select(tasks.c.token)
    .where(_WAITS, tasks.c.priority == bindparam("of_priority"), tasks.c.lane == bindparam("of_lane"))
    .order_by(tasks.c.id.desc())
    .limit(1)
)

_NOT_PUSHED = (
    update(tasks)
    .where(is_among(tasks.c.token, bindparam("rows", type_=Text)), in_state(State.QUEUED, keyed=True), tasks.c.run == 1)
    .values(pushed_at=None)
)
