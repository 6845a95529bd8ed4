"""The axes of a chart: round numbers at its side, and round times below it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from queue_tool.web.http.numbers import DAY, HOUR, MINUTE
from queue_tool.web.pages.charts.chart import Chart, Unit
from queue_tool.web.pages.charts.texts import scale_text

MOST_PARTS = 4
"""Parts into which the lines of a scale divide it."""

LONG_TIMES = (10, 30, *(n * MINUTE for n in (1, 2, 5, 10, 15, 30)), *(n * HOUR for n in (1, 2, 4, 6, 12)), DAY)
"""Seconds: the distances of lines for times that are longer than some seconds. Their multiples are whole or half units:
with 20 s, a line would be at 1.33333 min."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The scale at the side of a chart, from 0 up."""

    top: float
    parts: int

    @property
    def values(self) -> list[float]:
        """Return the values of its lines, the highest first."""
        return [self.top * part / self.parts for part in range(self.parts, -1, -1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A time below a chart."""

    minute: int | None  # Unix time in minutes; None: the time is counted from a beginning
    place: float  # percent of the width
    text: str  # hours and minutes in UTC, or a duration


def scale_of(highest: float, unit: Unit) -> Scale:
    """Return the scale for values up to the highest one."""
    distance = next(distance for distance in _distances(unit) if highest <= MOST_PARTS * distance) if highest else 1.0
    parts = max(1, math.ceil(highest / distance - 1e-9))
    return Scale(top=parts * distance, parts=parts)


def marks_of(chart: Chart) -> list[Mark]:
    """Return the times below a chart: each quarter of an hour, or each six hours; or a few durations."""
    start, end = chart.times[0], chart.times[-1] + chart.step
    distance = _apart(chart, end - start)
    first = -(-start // distance) * distance
    return [
        Mark(minute=minute_of(chart, at), place=round((at - start) / (end - start) * 100, 2), text=time_text(chart, at))
        for at in range(first, end + 1, distance)
    ]


def _apart(chart: Chart, length: int) -> int:
    """Return the seconds from one mark to the next."""
    if chart.is_counted:
        return next(distance for distance in round_lengths() if length <= MOST_PARTS * distance)
    return 15 * MINUTE if length <= HOUR else 6 * HOUR


def minute_of(chart: Chart, at: int) -> int | None:
    """Return a time of a chart in minutes of Unix time; None if it is counted from a beginning."""
    return None if chart.is_counted else at // MINUTE


def time_text(chart: Chart, at: int) -> str:
    """Return a time of a chart: hours and minutes in UTC, or how long after the beginning it is."""
    return scale_text(at, Unit.SECONDS) if chart.is_counted else f"{datetime.fromtimestamp(at, UTC):%H:%M}"


def round_lengths() -> Iterator[int]:
    """Iterate over round lengths of time in whole seconds, the smallest first."""
    yield from (1, 2, 5, *LONG_TIMES)
    yield from (DAY * 2**power for power in range(1, 60))


def _distances(unit: Unit) -> Iterator[float]:
    """Iterate over the round distances of two lines of a scale, the smallest first."""
    if unit is Unit.SHARE:
        yield from (0.01, 0.02, 0.05, 0.1, 0.25)
        return
    lowest = {Unit.COUNT: 0, Unit.RATE: -1, Unit.SECONDS: -3}[unit]
    for power in range(lowest, 1 if unit is Unit.SECONDS else 18):
        yield from (digit * 10.0**power for digit in (1, 2, 5))
    yield from LONG_TIMES
    yield from (DAY * 2.0**power for power in range(1, 60))
