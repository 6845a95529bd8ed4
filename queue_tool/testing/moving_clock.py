"""A clock that stands still until it is moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from queue_tool.host.clock import CLOCK
from queue_tool.model.clock import Clock
from queue_tool.model.times import require_time_zone


class MovingClock:
    """The time of a system under test. It begins with the real time."""

    def __init__(self) -> None:
        """Begin now."""
        self._now = CLOCK.now()
        self._moved = timedelta()

    @property
    def now(self) -> datetime:
        """Return the time, in UTC."""
        return self._now

    def move_to(self, time: datetime) -> None:
        """Move to a later time.

        Raises:
            NaiveTime: the time has no time zone.
            ValueError: it is earlier.
        """
        time = require_time_zone(time).astimezone(UTC)
        if time < self._now:
            raise ValueError(f"the time moves only forward: {time.isoformat()} is before {self._now.isoformat()}")
        self._moved += time - self._now
        self._now = time

    def as_clock(self) -> Clock:
        """Return what the services take. Durations pass as in reality, in addition to the moves."""
        return Clock(now=lambda: self._now, monotonic=lambda: CLOCK.monotonic() + self._moved.total_seconds())
