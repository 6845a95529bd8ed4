"""Ticks in the store: each one is made once, in the transaction that stores what it sends.

The schedule's row moves on to its next tick by compare-and-set. So of several sweepers one makes a tick, and a sweeper
that dies has made all of a tick or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from queue_tool.model.batch import NewBatch
from queue_tool.model.new_task import NewTask
from queue_tool.model.schedule import Due, DueTick, Overlap, Schedule, Tick, TickCause, TickResult
from queue_tool.model.states import State
from queue_tool.store import line
from queue_tool.store.adding import add_batch, add_tasks, being_pushed
from queue_tool.store.engine.database import Database, micros, micros_or_none
from queue_tool.store.engine.lookup import Lookup, exists_query
from queue_tool.store.schedule_rows import NOW, schedule_of, time_of
from queue_tool.store.schedule_tables import schedules, ticks
from queue_tool.store.tables import batches, in_state, tasks

KEPT = 100
"""The last ticks of a schedule that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTick:
    """A tick, before the store has made it."""

    due: DueTick
    work: NewTask | NewBatch | None  # None: its data was refused
    hold: Sequence[str] = ()  # lists without room in Redis, so that its tickets join the line
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeTick:
    """A tick, and whether its tickets wait in line."""

    tick: Tick
    held: bool


class Ticks:
    """Makes the ticks of schedules."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database
        self._is_due = Lookup(database, exists_query(IS_DUE))

    def due(self, now: datetime, most: int) -> tuple[datetime, list[Schedule]]:
        """Return the time by which ticks are due, and the schedules with such ticks, that with the oldest one first.

        Args:
            now: the caller's time.
            most: the most schedules to return.
        """
        if self._is_due.first(now=micros(now)) is None:
            return now, []
        with self._database.read() as connection:
            time = time_of(connection, now)
            rows = connection.execute(_NEXT, {"now": micros(now), "most": most}).all()
        return time, [schedule_of(row) for row in rows]

    def make(
        self, schedule: Schedule, new: Sequence[NewTick], now: datetime, sender: int, due: Due | None = None
    ) -> list[MadeTick] | None:
        """Make ticks, and store what they send, in one transaction.

        Args:
            schedule: the schedule, as it was read.
            new: the ticks.
            now: the present time.
            sender: the number of the process that pushes the tickets next.
            due: what the schedule has to do now, if these ticks are due; None: a request makes them.

        Returns:
            The ticks; None if another process has made them, or has changed the schedule.

        Raises:
            StoreAway: the database is busy or away; nothing was stored.
            CommitUnknown: the database went away during the commit.
        """
        with self._database.write() as connection:
            row = connection.execute(*_move(schedule, len(new), due)).first()
            if row is None:
                return None
            number = row.ticks - len(new) - _dropped(due)
            made: list[MadeTick] = []
            if due is not None and due.dropped is not None:
                number += 1
                made.append(_missed(number, due.dropped, now))
            sent = _Sent(token=row.last_token, batch=row.last_batch)
            for each in new:
                number += 1
                made.append(_make(connection, schedule, each, number=number, now=now, sender=sender, sent=sent))
            connection.execute(insert(ticks), [_row(row.id, each.tick) for each in made])
            connection.execute(
                update(schedules).where(schedules.c.id == row.id).values(last_token=sent.token, last_batch=sent.batch)
            )
            old = ticks.c.number <= row.ticks - KEPT
            connection.execute(delete(ticks).where(ticks.c.schedule_id == row.id, old))
        return made


@dataclass(slots=True)
class _Sent:
    """What a schedule has sent last."""

    token: str | None
    batch: str | None

    def is_unfinished(self, connection: Connection) -> bool:
        """Return whether it is not finished."""
        if self.batch is not None:
            return connection.execute(_OPEN_BATCH, {"batch": self.batch}).first() is not None
        return self.token is not None and connection.execute(_OPEN_TASK, {"token": self.token}).first() is not None


def _dropped(due: Due | None) -> int:
    return int(due is not None and due.dropped is not None)


def _move(schedule: Schedule, count: int, due: Due | None) -> tuple[Any, dict[str, Any]]:
    """Return the statement that moves a schedule on, if nobody else has moved or changed it, and its parameters."""
    row: dict[str, Any] = {"schedule": schedule.id, "more": count + _dropped(due)}
    if due is None:
        return _COUNT, row
    row |= {"seen": micros_or_none(schedule.next_at), "seen_revision": schedule.revision}
    return _MOVE, row | {"following": micros_or_none(due.next_at), "last": micros_or_none(due.last_at)}


def _missed(number: int, at: datetime, now: datetime) -> MadeTick:
    missed = Tick(number=number, at=at, made_at=now, cause=TickCause.LATE, result=TickResult.MISSED)
    return MadeTick(tick=missed, held=False)


def _make(
    connection: Connection, schedule: Schedule, new: NewTick, *, number: int, now: datetime, sender: int, sent: _Sent
) -> MadeTick:
    """Make one tick, and note what it has sent."""
    at, cause, work = new.due.at, new.due.cause, new.work
    result, held = TickResult.SENT, False
    if work is None:
        result = TickResult.REFUSED
    elif schedule.rhythm.overlap is Overlap.SKIP and cause is not TickCause.REQUEST and sent.is_unfinished(connection):
        result, work = TickResult.SKIPPED, None
    if isinstance(work, NewBatch):
        held = line.must_wait(connection, new.hold, work.lists)
        add_batch(connection, work, held=held, sender=sender)
        sent.token, sent.batch = None, work.id
    elif work is not None:
        held = line.must_wait(connection, new.hold, {work.list})
        add_tasks(connection, [work], None, now, being_pushed(sender, held=held))
        line.join_others(connection, [work.list] if held else [])
        sent.token, sent.batch = work.token, None
    tick = Tick(
        number=number,
        at=at,
        made_at=now,
        cause=cause,
        result=result,
        token=None if work is None else sent.token,
        batch=None if work is None else sent.batch,
        error=new.error,
    )
    return MadeTick(tick=tick, held=held)


def _row(schedule_id: int, tick: Tick) -> dict[str, Any]:
    return {
        "schedule_id": schedule_id,
        "number": tick.number,
        "at": micros(tick.at),
        "made_at": micros(tick.made_at),
        "cause": tick.cause.value,
        "result": tick.result.value,
        "token": tick.token,
        "batch": tick.batch,
        "error": tick.error,
    }


IS_DUE = schedules.c.next_at <= NOW

_NEXT = select(schedules).where(IS_DUE).order_by(schedules.c.next_at).limit(bindparam("most"))

_COUNT = (
    update(schedules)
    .where(schedules.c.public_id == bindparam("schedule"))
    .values(ticks=schedules.c.ticks + bindparam("more"))
    .returning(schedules.c.id, schedules.c.ticks, schedules.c.last_token, schedules.c.last_batch)
)

_MOVE = _COUNT.where(
    schedules.c.next_at == bindparam("seen"), schedules.c.revision == bindparam("seen_revision")
).values(next_at=bindparam("following"), last_at=bindparam("last"))

_OPEN_TASK = select(tasks.c.id).where(
    tasks.c.token == bindparam("token"), in_state(*(each for each in State if not each.ended), keyed=True)
)

_OPEN_BATCH = select(batches.c.id).where(batches.c.public_id == bindparam("batch"), batches.c.finished_at.is_(None))
