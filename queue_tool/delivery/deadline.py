"""A deadline over several steps."""

from __future__ import annotations

import time


class Deadline:
    """The moment at which all steps of a request must be over."""

    def __init__(self, seconds: float) -> None:
        """Start now."""
        self._start = time.monotonic()
        self._seconds = seconds

    @property
    def passed(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._start

    def left(self) -> float:
        """Return the seconds that are left, more than 0.

        Raises:
            TimeoutError: none.
        """
        seconds = self._seconds - self.passed
        if seconds <= 0:
            raise TimeoutError
        return seconds
