"""Retry: decides whether a failed task is retried, and when. Pure; randomness and time are passed in.

The maximum delay grows by a factor with each attempt, up to a cap. The actual delay is a random value between zero and
this maximum ("full jitter"), so that tasks which failed together are not retried together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from queue_tool.model.outcome import Failed
from queue_tool.model.states import Code

LONGEST_DELAY = 10**9
"""Seconds, about thirty years."""

RETRIED_CODES = frozenset({Code.ERROR, Code.TIMEOUT, Code.UNKNOWN_TASK_TYPE})
"""Failures after which a retry may succeed. A task type may be unknown here and known to a worker with newer code."""


class Retry(Exception):
    """Raised by a task's function to request a retry. The task is retried while it has attempts left."""

    after: float | None = None  # also for a subclass whose `__init__` does not call this one

    def __init__(self, reason: str = "", *, after: float | None = None) -> None:
        """Create the exception.

        Args:
            reason: why the task should be retried.
            after: seconds until the next attempt; None: the task type's backoff decides.

        Raises:
            ValueError: `after` is not a valid number of seconds.
        """
        if after is not None and not is_delay(after):
            raise ValueError(f"after must be a number of seconds from 0 to {LONGEST_DELAY}, not {after!r}")
        super().__init__(reason)
        self.after = after


class Abort(Exception):
    """Raised by a task's function when a retry would fail too. The task is not retried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long a task waits before its next attempt, in seconds."""

    base: float = 5.0  # maximum delay before the second attempt
    factor: float = 2.0  # growth of this maximum with each further attempt
    cap: float = 600.0  # limit of this maximum
    delays: tuple[float, ...] = ()  # fixed delays instead of the growing ones; the last one repeats

    def before(self, attempt: int, chance: float) -> float:
        """Return the seconds to wait before an attempt.

        Args:
            attempt: the number of the next attempt, at least 2.
            chance: a new random number from 0 to 1.
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
"""The backoff of a task type that declares none."""


def backoff_of(declared: Backoff | Sequence[float] | None) -> Backoff:
    """Return the backoff of a declaration.

    Args:
        declared: a backoff, a list of delays in seconds, or None for the standard backoff.

    Raises:
        ValueError: a delay or the factor is not valid.
    """
    backoff = (
        STANDARD if declared is None else declared if isinstance(declared, Backoff) else Backoff(delays=tuple(declared))
    )
    numbers = (backoff.base, backoff.cap, *backoff.delays)
    if not all(map(is_delay, numbers)) or not is_delay(backoff.factor) or backoff.factor < 1:
        raise ValueError(f"delays must be seconds from 0 to {LONGEST_DELAY}, and the factor must be at least 1")
    return backoff


def is_delay(seconds: object) -> bool:
    """Return whether a value is a number of seconds that a task may wait."""
    return type(seconds) in (int, float) and 0 <= seconds <= LONGEST_DELAY  # type: ignore[operator] # it is a number


def deciding_error(error: BaseException, no_retry: tuple[type[BaseException], ...]) -> BaseException:
    """Return the exception that decides whether and when the task is retried.

    It is the error itself or an exception inside of its exception groups: an `Abort`; else one of `no_retry`; else the
    `Retry` with the longest delay; else the error itself.

    Args:
        error: what the function raised.
        no_retry: exception classes after which the task is not retried.
    """
    found = list(_inside(error))
    for kinds in ((Abort,), no_retry):
        for inner in found:
            if isinstance(inner, kinds):
                return inner
    retries = [inner for inner in found if isinstance(inner, Retry)]
    return max(retries, key=lambda retry: requested_delay(retry) or 0, default=error)


def requested_delay(error: BaseException) -> float | None:
    """Return the seconds until the next attempt that an error requests; None: the backoff decides."""
    return error.after if isinstance(error, Retry) and is_delay(error.after) else None


def _inside(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, and all errors inside of it if it is an exception group, each once, in their order."""
    left, seen = [error], set()
    while left:
        inner = left.pop()
        if id(inner) in seen:
            continue
        seen.add(id(inner))
        yield inner
        if isinstance(inner, BaseExceptionGroup):
            left += reversed(inner.exceptions)


def decide(
    failed: Failed, attempt: int, max_attempts: int, *, backoff: Backoff, now: datetime, chance: Callable[[], float]
) -> datetime | None:
    """Return when a task is retried after this failure; None: it is not retried.

    Args:
        failed: how the attempt failed.
        attempt: the number of the failed attempt, from 1.
        max_attempts: the maximum number of attempts of the task.
        backoff: the backoff of the task type.
        now: the current time.
        chance: returns a random number from 0 to 1.
    """
    if attempt >= max_attempts or failed.final or failed.code not in RETRIED_CODES:
        return None
    seconds = backoff.before(attempt + 1, chance()) if failed.after is None else failed.after
    return now + timedelta(seconds=seconds)
