"""Schedules that the code of the task types declares: added and changed at the start of a process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, bindparam, literal, select, update

from queue_tool.model.schedule import PausedBy, Schedule
from queue_tool.store.engine.clock import database_now
from queue_tool.store.engine.database import Database, micros
from queue_tool.store.engine.locks import lock_name
from queue_tool.store.engine.lookup import Lookup, exists_query
from queue_tool.store.engine.rows import insert_if_new
from queue_tool.store.schedule_rows import NOW, columns_of, resumed, row_of, schedule_of
from queue_tool.store.schedule_tables import schedules


class DeclaredSchedules:
    """The schedules that code declares. `Schedules` reads them, and pauses and resumes them too."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database
        self._is_forgotten = Lookup(database, exists_query(_FORGOTTEN))

    def declare(self, new: Schedule) -> str | None:
        """Add or change a schedule. Return what was done: `made`, `changed`, `resumed`, or None for nothing.

        A schedule with a higher version is not changed. One that was paused because no process declared it is resumed.

        Args:
            new: the schedule as the code declares it now. It is made now.
        """
        declared, now = new.declared, new.created_at
        assert declared is not None  # the caller's duty
        with self._database.write() as connection:
            lock_name(connection, "queue_tool declared schedules")
            row = connection.execute(_FIND, {"task_type": declared.task_type}).first()
            if row is None:
                insert_if_new(connection, schedules, row_of(new))
                return "made"
            before = schedule_of(row)
            assert before.declared is not None  # it was found by its declaration
            values: dict[str, Any] = {"declared_at": micros(now)}
            is_forgotten = before.paused_by is PausedBy.SWEEPER
            is_newer = declared.version >= before.declared.version
            is_other = is_newer and (new.rhythm, new.work) != (before.rhythm, before.work)
            after = max(now, before.last_at or now)
            if is_newer:
                values["version"] = declared.version
            if is_forgotten:
                values |= resumed(before.rhythm.next(after, before.created_at))
            if is_other:
                is_due = before.paused_at is None or is_forgotten
                next_at = new.rhythm.next(after, before.created_at) if is_due else None
                values |= columns_of(replace(new, next_at=next_at)) | {"revision": schedules.c.revision + 1}
            connection.execute(update(schedules).where(schedules.c.id == row.id).values(values))
        return "changed" if is_other else "resumed" if is_forgotten else None

    def refresh(self, task_types: Sequence[str], now: datetime) -> None:
        """Record that a process lives that has declared the schedules of these task types."""
        with self._database.write(durable=False) as connection:
            connection.execute(
                update(schedules)
                .where(schedules.c.declared_as.in_(task_types))
                .values(declared_at=database_now(literal(micros(now))))
            )

    def forgotten(self, now: datetime, patience: int) -> list[Schedule]:
        """Return the schedules that are not paused, and that no process has declared for a time.

        Args:
            now: the caller's time.
            patience: the time, in microseconds.
        """
        times = {"now": micros(now), "patience": patience}
        if self._is_forgotten.first(**times) is None:
            return []
        with self._database.read() as connection:
            return [schedule_of(row) for row in connection.execute(select(schedules).where(_FORGOTTEN), times)]


_FIND = select(schedules).where(schedules.c.declared_as == bindparam("task_type"))

_FORGOTTEN = (
    schedules.c.declared_as.is_not(None)
    & schedules.c.paused_at.is_(None)
    & (schedules.c.declared_at < NOW - bindparam("patience", type_=BigInteger))
)
