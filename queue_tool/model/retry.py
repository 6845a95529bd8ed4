"""Retry: whether a task that failed is tried again, and when. Pure; chance and time are passed in.

The delay grows by a factor from one attempt to the next, up to a cap, and is drawn from the whole of it ("full
jitter"), so that tasks which failed together do not come back together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from queue_tool.model.outcome import Failed
from queue_tool.model.states import Code

LONGEST_DELAY = 10**9
"""Seconds, about thirty years."""

AGAIN = frozenset({Code.ERROR, Code.TIMEOUT, Code.UNKNOWN_TASK_TYPE})
"""Failures that another attempt may not meet: an unknown type may be known to the next worker, one with newer code."""


class Retry(Exception):
    """Raised by a task's function that would rather be tried again, as long as it has attempts left."""

    def __init__(self, reason: str = "", *, after: float | None = None) -> None:
        """Say why, and after how many seconds; None leaves it to the task type's backoff."""
        if after is not None and not is_delay(after):
            raise ValueError(f"after is a number of seconds from 0 to {LONGEST_DELAY}, not {after!r}")
        super().__init__(reason)
        self.after = after


class Abort(Exception):
    """Raised by a task's function that would fail again and again: its task is not tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long a task waits before its next attempt, in seconds."""

    base: float = 5.0  # at most so long before the second attempt
    factor: float = 2.0  # that much longer before each further one
    cap: float = 600.0  # never longer
    delays: tuple[float, ...] = ()  # exactly these in place of the curve; the last one goes on

    def before(self, attempt: int, chance: float) -> float:
        """Return the seconds to wait before an attempt (2 is the first that can wait).

        Args:
            attempt: the one that is to come.
            chance: a number from 0 to 1 that is drawn anew each time.
        """
        if self.delays:
            return self.delays[min(attempt - 2, len(self.delays) - 1)]
        return chance * min(self.cap, self._grown(attempt - 2))

    def _grown(self, times: int) -> float:
        try:
            return self.base * self.factor**times
        except OverflowError:
            return math.inf


STANDARD = Backoff()
"""The backoff of a task type that says nothing."""


def backoff_of(declared: Backoff | Sequence[float] | None) -> Backoff:
    """Return the backoff that a declaration means: a curve, a list of delays, or nothing.

    Raises:
        ValueError: it means none.
    """
    backoff = (
        STANDARD if declared is None else declared if isinstance(declared, Backoff) else Backoff(delays=tuple(declared))
    )
    numbers = (backoff.base, backoff.cap, *backoff.delays)
    if not all(map(is_delay, numbers)) or not is_delay(backoff.factor) or backoff.factor < 1:
        raise ValueError(f"delays are seconds from 0 to {LONGEST_DELAY}, and a factor is at least 1")
    return backoff


def is_delay(seconds: object) -> bool:
    """Tell whether something is a number of seconds that a task may wait."""
    return type(seconds) in (int, float) and 0 <= seconds <= LONGEST_DELAY  # type: ignore[operator] # a number, by its type


def decide(
    failed: Failed, attempt: int, most: int, *, backoff: Backoff, now: datetime, chance: Callable[[], float]
) -> datetime | None:
    """Return when a task is tried again after this failure; None: never.

    Args:
        failed: how the attempt ended.
        attempt: which one it was, from 1.
        most: attempts that the task may have.
        backoff: of its type.
        now: the time.
        chance: draws a number from 0 to 1.
    """
    if attempt >= most or failed.final or failed.code not in AGAIN:
        return None
    seconds = backoff.before(attempt + 1, chance()) if failed.after is None else failed.after
    return now + timedelta(seconds=seconds)
