"""Ticks: what schedules have to do now, and which schedules in code are forgotten."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from queue_tool.errors import BadSchedule
from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.schedule import PausedBy, Schedule, due
from queue_tool.services.ticking import Ticking
from queue_tool.store import Store

MOST_SCHEDULES = 500
"""The most schedules whose ticks are made in one call: the caller has other work too."""

MOST_TICKS = 100
"""The most ticks of one schedule that one transaction makes. Of those that send batches it makes one."""

REMEMBERED_FOR = 24 * 60 * 60 * 1_000_000
"""Microseconds for which a schedule in code stays active that no process declares."""

LOOK_EVERY = 60.0
"""Seconds between two looks for forgotten schedules."""


@dataclass(slots=True, kw_only=True)
class Ticks:
    """Makes the ticks that are due. Any number of sweepers may do so at once."""

    ticking: Ticking
    clock: Clock
    _looked: float | None = field(default=None, init=False)  # monotonic

    @property
    def _store(self) -> Store:
        return self.ticking.submit.store

    def __call__(self) -> None:
        """Make the ticks that are due, and pause the schedules in code that no process declares any more.

        Raises:
            StoreAway: the database is busy or away; the next call continues.
        """
        now, found = self._store.ticks.due(self.clock.now(), MOST_SCHEDULES)
        for schedule in found:
            try:
                self._make(schedule, now)
            except BadSchedule as error:  # for example, this machine does not know its time zone any more
                self._pause(schedule, now, error.sentence)
        self.pause_forgotten()

    def _make(self, schedule: Schedule, now: datetime) -> None:
        todo = due(schedule, now, 1 if schedule.work.is_batch else MOST_TICKS)
        self.ticking(schedule, todo.ticks, now, todo)

    def pause_forgotten(self) -> None:
        """Pause the schedules in code that no process declares any more. It looks for them once a minute.

        Raises:
            StoreAway: the database is busy or away; the next call continues.
        """
        if self._looked is not None and self.clock.monotonic() - self._looked < LOOK_EVERY:
            return
        self._looked, now = self.clock.monotonic(), self.clock.now()
        for schedule in self._store.declared_schedules.forgotten(now, REMEMBERED_FOR):
            self._pause(schedule, now, "no process has declared it for a day")

    def _pause(self, schedule: Schedule, now: datetime, reason: str) -> None:
        if self._store.schedules.pause(schedule.id, PausedBy.SWEEPER, now, schedule.revision):
            by = PausedBy.SWEEPER.value
            self.ticking.submit.telemetry.emit(events.SchedulePaused(schedule=schedule.id, by=by, reason=reason))
