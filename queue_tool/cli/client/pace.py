"""How fast a batch goes: the tasks that ended lately, and the time that the others need. Pure."""

from __future__ import annotations

from collections import deque

LATELY = 30.0
"""Seconds that count."""


class Pace:
    """The pace of a batch."""

    def __init__(self) -> None:
        """Begin without looks."""
        self._looks: deque[tuple[float, int]] = deque()

    def look(self, now: float, ended: int) -> None:
        """Remember how many elements had ended at a monotonic time, in seconds."""
        self._looks.append((now, ended))
        while self._looks[-1][0] - self._looks[0][0] > LATELY and len(self._looks) > 2:  # noqa: PLR2004 - a difference
            self._looks.popleft()

    @property
    def rate(self) -> float | None:
        """Return how many elements end in a second; None if that is not known."""
        if len(self._looks) < 2:  # noqa: PLR2004 - a difference needs two
            return None
        (began, before), (now, ended) = self._looks[0], self._looks[-1]
        return max(0, ended - before) / (now - began) if now > began else None

    def left(self, count: int) -> float | None:
        """Return the seconds that so many elements need; None if that is not known."""
        return count / self.rate if self.rate else None


def duration(seconds: float) -> str:
    """Return a time in words of at most two units."""
    whole = round(seconds)
    for size, unit, smaller, name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit} {rest} {name}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"
