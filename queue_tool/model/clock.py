"""The clock: where the time comes from, as one value that is passed to whoever needs it. Tests set theirs by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The two kinds of time."""

    now: Callable[[], datetime]  # the time of day, in UTC: for what is kept and shown
    monotonic: Callable[[], float]  # seconds that never jump: for how long something takes, and for who still lives
