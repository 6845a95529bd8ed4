"""Declared schedules: those of `@task(schedule=...)`. Processes that know the types bring them into the database."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable

from queue_tool.errors import BadSchedule, BadTask, BadTaskType, StoreAway
from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.schedule import Declared, Schedule
from queue_tool.model.schedule_request import read_work
from queue_tool.model.schedule_rhythm import body_of, read_rhythm
from queue_tool.model.task_types import TaskType
from queue_tool.model.telemetry import Telemetry
from queue_tool.services.submit import make_tokens
from queue_tool.store import Store

_log = logging.getLogger("queue_tool.services.declared_schedules")

REFRESH_EVERY = 3600.0
"""Seconds between two records that this process lives. A schedule that nobody declares is paused after a day."""


class DeclaredSchedules:
    """The schedules that the code of this process declares."""

    def __init__(
        self, types: Iterable[TaskType], store: Store, telemetry: Telemetry, clock: Clock, *, judges: bool
    ) -> None:
        """Use these parts.

        Args:
            types: the task types with schedules.
            store: where the schedules are.
            telemetry: receives the events.
            clock: the source of time.
            judges: whether this process checks the data of the schedules.
        """
        self._types = {kind.name: kind for kind in types}
        self._store = store
        self._telemetry = telemetry
        self._clock = clock
        self._judges = judges
        self._closed = threading.Event()

    def declare(self) -> None:
        """Add and change them in the database. A process that declares a higher version wins.

        Raises:
            BadTaskType: a schedule cannot be used.
            StoreAway: the database is busy or away.
        """
        for kind in self._types.values():
            change = self._store.declared_schedules.declare(self._made(kind))
            if change is not None:
                self._telemetry.emit(events.ScheduleDeclared(task_type=kind.name, change=change))

    def keep(self) -> None:
        """Record from now on, in a thread, that a process lives that declares them."""
        threading.Thread(target=self._refresh_regularly, name="schedules", daemon=True).start()

    def refresh(self) -> None:
        """Record that a process lives that declares them.

        Raises:
            StoreAway: the database is busy or away.
        """
        self._store.declared_schedules.refresh(sorted(self._types), self._clock.now())

    def close(self) -> None:
        """Stop this."""
        self._closed.set()

    def _made(self, kind: TaskType) -> Schedule:
        assert kind.schedule is not None  # see `types`
        now = self._store.schedules.now(self._clock.now())
        try:
            body, version = body_of(kind.name, kind.schedule)
            rhythm = read_rhythm(body)
            return Schedule(
                id=make_tokens(1, now)[0],
                rhythm=rhythm,
                work=read_work(body, self._types, is_judged=self._judges),
                created_at=now,
                revision=1,
                next_at=rhythm.next(now, now),  # None if its end is over
                declared=Declared(task_type=kind.name, version=version),
            )
        except BadTask as error:
            reasons = "; ".join(f"{each['path']}: {each['message']}" for each in error.errors)
            raise BadTaskType(f"The schedule of the task type {kind.name!r} sends a bad task: {reasons}") from None
        except BadSchedule as error:
            raise BadTaskType(f"The schedule of the task type {kind.name!r} cannot be used: {error.sentence}") from None

    def _refresh_regularly(self) -> None:
        while not self._closed.wait(REFRESH_EVERY):
            try:
                self.refresh()
            except StoreAway as error:  # the next one is in an hour, and the schedule is paused after a day
                _log.warning("declared schedules could not be refreshed: %s", error.reason)
