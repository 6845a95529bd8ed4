"""The numbers of charts as texts: short ones for the scale, and exact ones for people who read a value."""

from __future__ import annotations

from queue_tool.web.http import numbers
from queue_tool.web.http.numbers import DAY, HOUR, MINUTE, NARROW_SPACE
from queue_tool.web.pages.charts.chart import Unit

EXACT_FROM = 10
"""A rate or share is shown without decimals from this number on."""


def value_text(value: float | None, unit: Unit) -> str:
    """Return a value; a dash if there is none."""
    if value is None:
        return "\u2013"
    if unit is Unit.SECONDS:
        return numbers.seconds(value)
    return _plain(value * 100, f"{NARROW_SPACE}%") if unit is Unit.SHARE else _plain(value)


def scale_text(value: float, unit: Unit) -> str:
    """Return a round value at the side of a chart."""
    if unit is not Unit.SECONDS:
        return value_text(value, unit)
    for size, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if value >= size:
            return f"{value / size:g}{NARROW_SPACE}{name}"
    return f"{value * 1000:g}{NARROW_SPACE}ms" if 0 < value < 1 else f"{value:g}{NARROW_SPACE}s"


def _plain(value: float, unit: str = "") -> str:
    text = numbers.number(round(value)) if value >= EXACT_FROM else f"{value:.2g}"
    return text + unit
