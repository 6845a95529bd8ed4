"""Patience: whether to wait a moment for requests that are about to come, so that one transaction keeps them together.

Clients that send one request after the other have their next request ready a moment after an answer. Whoever takes the
first of them at once handles that one alone, and the others after it. A transaction costs about the same for one and
for ten.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SHARE = 0.5
"""The longest wait, in times that the last requests took."""

LONGEST = 0.02
"""The longest wait in seconds."""

MOST_LEFT_OUT = 63
"""How often the wait is left out after clients did not come in time again and again."""


@dataclass(frozen=True, slots=True)
class Expected:
    """For how many requests to wait, and how long."""

    items: int
    seconds: float = 0.0


NOBODY = Expected(1)
"""Do not wait: the first request is handled at once."""


@dataclass(slots=True)
class Patience:
    """Remembers whether clients came in time. Where they do not, hardly any request waits for others."""

    _expected: int = field(default=1, init=False)  # requests for which the last wait was
    _pause: int = field(default=0, init=False)  # so often the wait is left out after the next failure
    _left_out: int = field(default=0, init=False)  # so often it is left out from now on

    def after(self, handled: int, again: int, seconds: float) -> Expected:
        """Return what to wait for after requests were handled.

        Args:
            handled: how many were handled together.
            again: how many there are if each client that has its answer sends its next request: these, and what waits.
            seconds: how long it took.
        """
        self._learn(handled)
        if again == 1 or self._left_out:
            self._left_out = max(0, self._left_out - 1)
            self._expected = 1
            return NOBODY
        self._expected = again
        return Expected(again, min(LONGEST, seconds * SHARE))

    def _learn(self, handled: int) -> None:
        if self._expected == 1:
            return
        if handled >= self._expected:
            self._pause = 0
        else:
            self._left_out, self._pause = self._pause, min(MOST_LEFT_OUT, 2 * self._pause + 1)
