"""The breaker: after a failure, calls fail at once for a while, so that callers do not wait for a broker that is away.

A broker that answers at once does not trip the breaker, because its other commands may work: it may be full, refuse a
command for which the user has no right, or find a key that another program has damaged.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from queue_tool.errors import BrokerAway, FailureKind

LONGEST_PAUSE = 5.0
"""The most seconds after a failure in which calls are refused."""

SHORTEST_PAUSE = 0.1
"""The same for a call that failed at once, as when nothing listens: the next try costs nothing either."""

FACTOR = 20
"""The pause is so many times as long as the failed call. So callers spend at most a twentieth of their time on it."""


class Breaker:
    """Lets calls through until one fails, then refuses all calls for a pause."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Let calls through at first.

        Args:
            monotonic: a clock that returns seconds and never jumps.
        """
        self._monotonic = monotonic
        self._refuses_until: float | None = None
        self._reason: str | None = None
        self._lock = threading.Lock()

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Run a block that talks to the broker.

        Raises:
            BrokerAway: this block raised it, or another block raised it less than a pause ago.
        """
        began = self._monotonic()
        with self._lock:
            if self._refuses_until is not None:
                if began < self._refuses_until:
                    raise BrokerAway(self._reason)
                self._refuses_until = began + LONGEST_PAUSE  # only this call tries; others are still refused
        try:
            yield
        except BrokerAway as error:
            if error.kind in (FailureKind.FULL, FailureKind.WRONG, FailureKind.REFUSES):
                self._reset()
                raise
            now = self._monotonic()
            pause = min(LONGEST_PAUSE, max(SHORTEST_PAUSE, FACTOR * (now - began)))
            with self._lock:
                self._refuses_until, self._reason = now + pause, error.sentence
            raise
        self._reset()

    def _reset(self) -> None:
        with self._lock:
            self._refuses_until = None
