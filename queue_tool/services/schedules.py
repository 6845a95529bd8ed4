"""Schedules: made, changed, paused, resumed, run now, removed and listed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from queue_tool.errors import BadCursor, QueueToolError, ScheduleInCode
from queue_tool.model import events
from queue_tool.model.payloads.schedules import ScheduleBody
from queue_tool.model.schedule import DueTick, PausedBy, Schedule, Tick, TickCause
from queue_tool.model.schedule_request import read_work
from queue_tool.model.schedule_rhythm import read_rhythm
from queue_tool.services.listing import MOST_COUNTED, Page, read_cursor, write_cursor
from queue_tool.services.submit import Submit, make_tokens
from queue_tool.services.ticking import Ticking
from queue_tool.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedules:
    """Keeps schedules for those who send requests. The sweeper makes their ticks."""

    ticking: Ticking

    @property
    def _submit(self) -> Submit:
        return self.ticking.submit

    @property
    def _store(self) -> Store:
        return self.ticking.submit.store

    def make(self, body: ScheduleBody) -> Schedule:
        """Add a schedule.

        Raises:
            BadSchedule: it cannot be used.
            BadTask: what it sends would be refused.
            StoreAway: the database is busy or away.
        """
        rhythm, work, now = read_rhythm(body), read_work(body, self.ticking.types), self._now()
        new = Schedule(
            id=make_tokens(1, now)[0],
            rhythm=rhythm,
            work=work,
            created_at=now,
            revision=1,
            next_at=rhythm.require_usable(now),
        )
        self._store.schedules.add(new)
        self._submit.telemetry.emit(events.ScheduleMade(schedule=new.id, task_type=work.task_type))
        return new

    def change(self, public_id: str, body: ScheduleBody) -> Schedule:
        """Replace what a schedule sends, and when. It stays paused if it is.

        Raises:
            ScheduleNotFound: no schedule has this id.
            ScheduleInCode: it is declared in code.
            BadSchedule: it cannot be used.
            BadTask: what it sends would be refused.
            StoreAway: the database is busy or away.
        """
        before = self.get(public_id)
        if before.declared is not None:
            raise ScheduleInCode
        rhythm, work, now = read_rhythm(body), read_work(body, self.ticking.types), self._now()
        rhythm.require_usable(now)
        self._store.schedules.change(replace(before, rhythm=rhythm, work=work), now)
        self._submit.telemetry.emit(events.ScheduleChanged(schedule=public_id))
        return self.get(public_id)

    def get(self, public_id: str) -> Schedule:
        """Return a schedule.

        Raises:
            ScheduleNotFound: no schedule has this id.
            StoreAway: the database is busy or away.
        """
        return self._store.schedules.get(public_id)

    def __call__(self, limit: int = 50, cursor: str | None = None) -> Page[Schedule]:
        """Return a page of the schedules, the newest first.

        Raises:
            BadCursor: the cursor is malformed.
            StoreAway: the database is busy or away.
        """
        found, last = self._store.schedules.page(limit, _number(cursor))
        return _page(found, last, self._store.schedules.count())

    def ticks(self, public_id: str, limit: int = 50, cursor: str | None = None) -> Page[Tick]:
        """Return a page of the last hundred ticks of a schedule, the newest first.

        Raises:
            ScheduleNotFound: no schedule has this id.
            BadCursor: the cursor is malformed.
            StoreAway: the database is busy or away.
        """
        found, last, total = self._store.schedules.ticks(public_id, limit, _number(cursor))
        return _page(found, last, total)

    def pause(self, public_id: str) -> Schedule:
        """Pause a schedule. One that is paused stays so.

        Raises:
            ScheduleNotFound: no schedule has this id.
            StoreAway: the database is busy or away.
        """
        self.get(public_id)
        self._store.schedules.pause(public_id, PausedBy.REQUEST, self._now())
        self._submit.telemetry.emit(events.SchedulePaused(schedule=public_id, by=PausedBy.REQUEST.value))
        return self.get(public_id)

    def resume(self, public_id: str) -> Schedule:
        """Resume a schedule. The ticks of the time in which it was paused are not made.

        Raises:
            ScheduleNotFound: no schedule has this id.
            StoreAway: the database is busy or away.
        """
        self.get(public_id)
        self._store.schedules.resume(public_id, self._now())
        self._submit.telemetry.emit(events.ScheduleResumed(schedule=public_id))
        return self.get(public_id)

    def run(self, public_id: str) -> Tick:
        """Make a tick now, also of a schedule that is paused. Its next tick stays where it is.

        Raises:
            ScheduleNotFound: no schedule has this id.
            StoreAway: the database is busy or away; nothing was stored.
            QueueToolError: the schedule was changed at the same moment; no tick was made.
        """
        schedule, now = self.get(public_id), self._now()
        made = self.ticking(schedule, [DueTick(at=now, cause=TickCause.REQUEST)], now)
        if not made:  # it was removed meanwhile
            self.get(public_id)
            raise QueueToolError
        return made[0]

    def remove(self, public_id: str) -> None:
        """Remove a schedule with its ticks. What it has sent stays.

        Raises:
            ScheduleNotFound: no schedule has this id.
            ScheduleInCode: it is declared in code.
            StoreAway: the database is busy or away.
        """
        self._store.schedules.remove(public_id)
        self._submit.telemetry.emit(events.ScheduleRemoved(schedule=public_id))

    def _now(self) -> datetime:
        return self._store.schedules.now(self._submit.clock.now())


def _number(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    key = read_cursor(cursor)
    if not isinstance(key, int):
        raise BadCursor
    return key


def _page(items: Any, last: int | None, total: int) -> Page[Any]:
    return Page(
        items=items,
        next=None if last is None else write_cursor(last),
        total=min(total, MOST_COUNTED),
        is_exact=total <= MOST_COUNTED,
    )
