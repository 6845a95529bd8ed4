"""Numbers and durations as the pages show them, the same in all languages."""

from __future__ import annotations

MINUTE, HOUR, DAY = 60, 3600, 86_400

NARROW_SPACE = "\u202f"
"""It separates groups of digits, as ISO 80000-1 says: a comma would be a decimal sign in other languages."""


def number(value: int) -> str:
    """Return a whole number with its digits in groups of three. Four digits stay together."""
    return str(value) if abs(value) < 10_000 else f"{value:,}".replace(",", NARROW_SPACE)  # noqa: PLR2004 - see above


def percent(share: float) -> str:
    """Return a share from 0 to 1 in percent. Only a share of 1 is shown as 100."""
    return f"{min(int(share * 1000), 1000) / 10:g}{NARROW_SPACE}%"


def seconds(duration: float | None) -> str:
    """Return a duration in its two largest units; a dash if there is none."""
    if duration is None:
        return "\u2013"
    if 0 < duration < 1:
        return f"{duration * 1000:.0f} ms"
    whole = round(duration)
    if duration < 10 and duration != whole:  # noqa: PLR2004 - a digit more for short times
        return f"{duration:.1f} s"
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE} s"
    if whole < DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"
    return f"{whole // DAY} d {whole % DAY // HOUR} h"
