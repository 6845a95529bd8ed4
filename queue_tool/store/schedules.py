"""Schedules in the store: made, changed, paused, read. `ticks.py` makes their ticks.

A change counts the `revision` of its row up. Whoever makes a tick says which revision it has read, so that no tick is
made of a schedule that has been changed meanwhile.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, func, insert, literal, select, update

from queue_tool.errors import ScheduleInCode, ScheduleNotFound
from queue_tool.model.schedule import PausedBy, Schedule, Tick
from queue_tool.store.engine.database import Database, micros
from queue_tool.store.schedule_rows import columns_of, resumed, row_of, schedule_of, tick_of, time_of
from queue_tool.store.schedule_tables import schedules, ticks


class Schedules:
    """The table of schedules, with their ticks."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database

    def now(self, now: datetime) -> datetime:
        """Return the time by which ticks are due: that of the database's clock on PostgreSQL."""
        with self._database.read() as connection:
            return time_of(connection, now)

    def add(self, new: Schedule) -> None:
        """Add a schedule."""
        with self._database.write() as connection:
            connection.execute(insert(schedules).values(row_of(new)))

    def get(self, public_id: str) -> Schedule:
        """Return a schedule.

        Raises:
            ScheduleNotFound: no schedule has this id.
        """
        with self._database.read() as connection:
            return _found(connection, select(schedules).where(schedules.c.public_id == public_id))

    def page(self, limit: int, before: int | None = None) -> tuple[list[Schedule], int | None]:
        """Return a page of the schedules, the newest first.

        Args:
            limit: the most schedules in the page.
            before: the row that the previous page returned; None for the first page.

        Returns:
            The page and the row for the next page. The row is None on the last page.
        """
        found = select(schedules).order_by(schedules.c.id.desc()).limit(limit + 1)
        if before is not None:
            found = found.where(schedules.c.id < before)
        with self._database.read() as connection:
            rows = connection.execute(found).all()
        return [schedule_of(row) for row in rows[:limit]], rows[limit - 1].id if len(rows) > limit else None

    def count(self) -> int:
        """Return how many schedules there are."""
        with self._database.read() as connection:
            number: int = connection.execute(select(func.count()).select_from(schedules)).scalar_one()
        return number

    def ticks(self, public_id: str, limit: int, before: int | None = None) -> tuple[list[Tick], int | None, int]:
        """Return a page of the ticks of a schedule, the newest first.

        Args:
            public_id: the id of the schedule.
            limit: the most ticks in the page.
            before: the number that the previous page returned; None for the first page.

        Returns:
            The page, the number for the next page, or None on the last page, and how many ticks all pages have.

        Raises:
            ScheduleNotFound: no schedule has this id.
        """
        with self._database.read() as connection:
            mine = ticks.c.schedule_id == _id_of(connection, public_id)
            found = select(ticks).where(mine).order_by(ticks.c.number.desc()).limit(limit + 1)
            if before is not None:
                found = found.where(ticks.c.number < before)
            rows = connection.execute(found).all()
            total: int = connection.execute(select(func.count()).select_from(ticks).where(mine)).scalar_one()
        return [tick_of(row) for row in rows[:limit]], rows[limit - 1].number if len(rows) > limit else None, total

    def change(self, changed: Schedule, now: datetime) -> None:
        """Replace what a schedule sends, and when. Its next tick is after `now`.

        Raises:
            ScheduleNotFound: it was removed.
            ScheduleInCode: it is declared in code.
        """
        with self._database.write() as connection:
            before = _locked(connection, changed.id)
            if before.declared is not None:
                raise ScheduleInCode
            next_at = None if before.paused_at else changed.rhythm.next(now, before.created_at)
            values = columns_of(replace(changed, next_at=next_at)) | {"revision": schedules.c.revision + 1}
            connection.execute(update(schedules).where(schedules.c.public_id == changed.id).values(values))

    def pause(self, public_id: str, by: PausedBy, now: datetime, revision: int | None = None) -> bool:
        """Pause a schedule. Return whether it was changed: one that is paused stays so.

        A request takes it over from the sweeper.

        Args:
            public_id: the id of the schedule.
            by: what pauses it.
            now: the present time.
            revision: pause it only if it is still this one.
        """
        is_free: ColumnElement[bool] = schedules.c.paused_at.is_(None)
        if by is PausedBy.REQUEST:
            is_free |= schedules.c.paused_by == PausedBy.SWEEPER.value
        if revision is not None:
            is_free &= schedules.c.revision == revision
        with self._database.write() as connection:
            changed = connection.execute(
                update(schedules)
                .where(schedules.c.public_id == public_id, is_free)
                .values(
                    paused_at=func.coalesce(schedules.c.paused_at, literal(micros(now))),
                    paused_by=by.value,
                    next_at=None,
                    revision=schedules.c.revision + 1,
                )
            )
        return changed.rowcount == 1

    def resume(self, public_id: str, now: datetime) -> None:
        """Resume a schedule, with its first tick after `now` and after its last one. If it is not paused, do nothing.

        Raises:
            ScheduleNotFound: no schedule has this id.
        """
        with self._database.write() as connection:
            before = _locked(connection, public_id)
            if before.paused_at is not None:
                next_at = before.rhythm.next(_later(before, now), before.created_at)
                connection.execute(update(schedules).where(schedules.c.public_id == public_id).values(resumed(next_at)))

    def remove(self, public_id: str) -> None:
        """Remove a schedule with its ticks. What it has sent stays.

        Raises:
            ScheduleNotFound: no schedule has this id.
            ScheduleInCode: it is declared in code.
        """
        with self._database.write() as connection:
            if _locked(connection, public_id).declared is not None:
                raise ScheduleInCode
            mine = _id_of(connection, public_id)
            connection.execute(delete(ticks).where(ticks.c.schedule_id == mine))
            connection.execute(delete(schedules).where(schedules.c.id == mine))


def _later(schedule: Schedule, now: datetime) -> datetime:
    """Return the time after which a schedule has its next tick: no tick is made a second time."""
    return now if schedule.last_at is None else max(now, schedule.last_at)


def _locked(connection: Connection, public_id: str) -> Schedule:
    """Return a schedule that no other transaction can change until this one ends."""
    return _found(connection, select(schedules).where(schedules.c.public_id == public_id).with_for_update())


def _found(connection: Connection, wanted: Select[Any]) -> Schedule:
    row = connection.execute(wanted).first()
    if row is None:
        raise ScheduleNotFound
    return schedule_of(row)


def _id_of(connection: Connection, public_id: str) -> int:
    found: int | None = connection.execute(select(schedules.c.id).where(schedules.c.public_id == public_id)).scalar()
    if found is None:
        raise ScheduleNotFound
    return found
