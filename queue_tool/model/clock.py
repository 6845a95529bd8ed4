"""The clock: the source of time, passed as a value. Tests pass a clock that they set by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The two kinds of time."""

    now: Callable[[], datetime]  # wall-clock time in UTC, for times that are stored and shown
    monotonic: Callable[[], float]  # seconds that never jump, for durations and liveness checks
