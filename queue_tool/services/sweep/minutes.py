"""Minutes: after each minute, the log gets a summary of it, and measures that are too old are deleted."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta

from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.telemetry import Telemetry
from queue_tool.services.measures.summary import counted
from queue_tool.store import Store

KEPT = timedelta(days=3)
"""How long the measures of single minutes are kept."""

LATE = timedelta(seconds=10)
"""How long after the end of a minute some process may still write what it has counted until then."""

MOST = 60
"""Minutes whose measures are deleted at a time."""


@dataclass(slots=True, kw_only=True)
class Minutes:
    """Does what is due after each minute."""

    store: Store
    telemetry: Telemetry
    clock: Clock
    _next: datetime | None = field(default=None, init=False)  # the first minute without a summary

    def __call__(self) -> None:
        """Sum up the minutes that are over, if they are not summed up yet.

        Raises:
            StoreAway: the database is busy or away; the next call continues.
        """
        now = _minute(self.clock.now() - LATE)
        if self._next is None or now < self._next:  # the first call, or a clock that was set back
            self._next = now
        if now == self._next:
            return
        figures = counted(point.measure for point in self.store.measures.between(self._next, now, 1))
        self._next = now
        if any(asdict(figures).values()):
            self.telemetry.emit(events.WorkSummed(**asdict(figures)))
        self.store.measures.forget(now - KEPT, MOST)


def _minute(time: datetime) -> datetime:
    return datetime.fromtimestamp(time.timestamp() // 60 * 60, UTC)
