"""Due: what comes with time. Waiting tasks come due or expire, and ended ones are forgotten, a part at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.states import Code
from queue_tool.model.telemetry import Telemetry
from queue_tool.store import Store

PAGE = 1000
"""Tasks that one transaction changes."""

MOST_AT_ONCE = 20
"""Pages of one kind in one call: whoever calls has other things to do as well."""

WALK_EVERY = 600.0
"""Seconds between two walks over all tasks in search of old ones."""


@dataclass(slots=True, kw_only=True)
class Due:
    """The service, with what it works on, and where it is on its walk."""

    store: Store
    telemetry: Telemetry
    clock: Clock
    retention: timedelta | None  # None keeps for ever
    _after: int = field(default=0, init=False)
    _walked: float | None = field(default=None, init=False)

    def __call__(self) -> None:
        """Do what is to be done at this time.

        Raises:
            StoreAway: the database is busy or away; the next call goes on.
        """
        self._expire()
        self._come_due()
        if self.retention is not None:
            self._forget(self.clock.now() - self.retention)

    def _come_due(self) -> None:
        count = 0
        for _ in range(MOST_AT_ONCE):
            found = self.store.upkeep.come_due(self.clock.now(), PAGE)
            count += found
            if found < PAGE:
                break
        if count:
            self.telemetry.emit(events.SweptDue(tasks=count))

    def _expire(self) -> None:
        expired = self.store.upkeep.expire(self.clock.now(), PAGE)
        for token in expired.tokens:
            self.telemetry.emit(events.TaskFailed(token=token, code=Code.EXPIRED))
        for batch in expired.finished:
            self.telemetry.emit(events.BatchFinished(batch=batch))

    def _forget(self, ended_before: datetime) -> None:
        """Go one step further on the walk over all tasks; begin anew some time after the last one has ended."""
        if self._walked is not None and self.clock.monotonic() - self._walked < WALK_EVERY:
            return
        self._walked = None
        removed = self.store.upkeep.forget(ended_before, self._after, PAGE)
        self._after = removed.last
        if removed.last == 0:
            self._walked = self.clock.monotonic()
            self.store.upkeep.forget_batches(ended_before)
            self.store.workers.forget(ended_before)
        if removed.tasks:
            self.telemetry.emit(events.SweptOld(tasks=removed.tasks))
