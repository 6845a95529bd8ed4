"""Upkeep: what happens to tasks over time. They come due, expire, and are removed after their retention."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Text, bindparam, select

from queue_tool.model.states import MOVES, Code, Move, State
from queue_tool.model.ticket import Ticket
from queue_tool.store import ends
from queue_tool.store.closed import NOTHING, Closed
from queue_tool.store.engine.database import Database, micros
from queue_tool.store.engine.lookup import Lookup, exists_query
from queue_tool.store.engine.rows import as_rows, is_among
from queue_tool.store.holding import release
from queue_tool.store.listening import who_listens
from queue_tool.store.moves import lock_tasks, update_for
from queue_tool.store.removal import remove, remove_batches
from queue_tool.store.tables import batches, in_state, tasks

MOST_HELD = 500
"""The most batches that one call releases."""

EXPIRED = "The task expired before a worker started it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """Tasks that failed because they were not started in time."""

    tokens: tuple[str, ...]
    finished: tuple[str, ...]  # ids of the batches that have no open task left
    made: tuple[Ticket, ...] = ()  # tickets of the continuations of what has ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What one step of the removal over all tasks did."""

    tasks: int  # how many were removed
    last: int  # the row after which the next step begins; 0 after the last step


class Upkeep:
    """Changes to tasks that happen over time. If a method reaches its `limit`, the caller must call it again."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database
        self._is_due = Lookup(database, DUE)
        self._is_late = Lookup(database, LATE)
        self._old_batch = Lookup(database, _OLD_BATCH)
        self._is_held = Lookup(database, HELD)

    def come_due(self, now: datetime, limit: int) -> int:
        """Queue the scheduled tasks that are due. Return how many were queued."""
        parameters = {"now": micros(now), "most": limit}
        if self._is_due.first(now=micros(now), most=1) is None:
            return 0
        with self._database.write() as connection:
            lock_tasks(connection, tasks.c.id.in_(DUE.params(parameters)))
            queued = connection.execute(_COME_DUE, parameters).scalars().all()
            changes = ends.BatchChanges(connection)
            changes.add(Move.COME_DUE, queued)
            changes.apply()
        return len(queued)

    def expire(self, now: datetime, limit: int) -> Expired:
        """Fail the tasks that expired before they were started."""
        parameters = {"now": micros(now), "most": limit}
        if self._is_late.first(now=micros(now), most=1) is None:
            return Expired(tokens=(), finished=())
        with self._database.write() as connection:
            late = connection.execute(_LOCK_LATE, parameters).all()
            changes = ends.BatchChanges(connection, now)
            for state in MOVES[Move.EXPIRE].sources:
                rows = [row for row in late if row.state == state]
                continuing = [row.token for row in rows if row.continues]
                changes.add(Move.EXPIRE, (row.batch_id for row in rows), before=state, continuing=continuing)
            connection.execute(_EXPIRE, {"now": micros(now)} | as_rows(row.token for row in late))
            changes.tell_of((row.token for row in late), who_listens(connection))
            ended = changes.apply()
        return Expired(tokens=tuple(row.token for row in late), finished=ended.finished, made=ended.made)

    def release(self, now: datetime) -> Closed:
        """End the batches that a bulk retry has held for too long, because it has died."""
        late = self._is_held.all(now=micros(now), most=MOST_HELD)
        if not late:
            return NOTHING
        with self._database.write() as connection:
            return release(connection, [row.id for row in late], now, only_late=True)

    def forget(self, ended_before: datetime, after: int, limit: int) -> Removed:
        """Check up to `limit` tasks after a row, and remove those that ended before a time.

        Tasks of a batch that has not ended stay.

        Args:
            ended_before: tasks that ended before this time are removed.
            after: the row after which this step begins; 0 for the first step.
            limit: the most tasks to check.
        """
        with self._database.read() as connection:
            rows = connection.execute(_NEXT_TASKS, {"after": after, "most": limit}).all()
        if not rows:
            return Removed(tasks=0, last=0)
        old = [row.id for row in rows if row.finished_at is not None and row.finished_at < micros(ended_before)]
        removed = 0
        if old:
            with self._database.write() as connection:
                removed = remove(connection, tasks.c.id.in_(old))
        return Removed(tasks=removed, last=rows[-1].id)

    def forget_batches(self, ended_before: datetime) -> int:
        """Remove the batches that finished before a time and have no task left. Return how many were removed."""
        old = batches.c.finished_at < micros(ended_before)
        if self._old_batch.first(before=micros(ended_before)) is None:
            return 0
        with self._database.write() as connection:
            return remove_batches(connection, old)


DUE = (
    select(tasks.c.id)
    .where(in_state(State.SCHEDULED), tasks.c.due_at <= bindparam("now"))
    .order_by(tasks.c.due_at)
    .limit(bindparam("most"))
)

LATE = (
    select(tasks.c.id)
    .where(
        in_state(State.QUEUED, State.SCHEDULED),
        tasks.c.expires_at.is_not(None),
        tasks.c.expires_at <= bindparam("now"),
        tasks.c.run == 1,  # never started: a task that was started and is queued again has a higher run
    )
    .limit(bindparam("most"))
)

_COME_DUE = update_for(Move.COME_DUE).where(tasks.c.id.in_(DUE)).values(pushed_at=None).returning(tasks.c.batch_id)

_LOCK_LATE = (
    select(tasks.c.token, tasks.c.batch_id, tasks.c.state, tasks.c.continues)
    .where(tasks.c.id.in_(LATE), in_state(State.QUEUED, State.SCHEDULED, keyed=True))
    .order_by(tasks.c.token)
    .with_for_update()
)
"""The late tasks, which are locked as `lock_tasks` locks them, with the state that they had."""

_EXPIRE = (
    ends.closing(Move.EXPIRE)
    .where(is_among(tasks.c.token, bindparam("rows", type_=Text)))
    .values(code=Code.EXPIRED.value, error=EXPIRED)
)

HELD = select(batches.c.id).where(ends.IS_LATE).limit(bindparam("most"))

_OLD_BATCH = exists_query((batches.c.finished_at < bindparam("before")) & (batches.c.accepted == 0))

_NEXT_TASKS = (
    select(tasks.c.id, tasks.c.finished_at)
    .where(tasks.c.id > bindparam("after"))
    .order_by(tasks.c.id)
    .limit(bindparam("most"))
)
