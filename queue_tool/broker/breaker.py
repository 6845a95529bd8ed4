"""The breaker: after a failure, nobody tries again for a while, so that nobody waits for what is not there.

A broker that is full is there: it says so at once, and can be asked everything else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from queue_tool.errors import BrokerAway, BrokerFull

PAUSE = 5.0
"""Seconds after a failure in which nothing is tried."""


class Breaker:
    """Lets calls through until one fails, then refuses them for a pause."""

    def __init__(self, pause: float = PAUSE, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Let everything through at first."""
        self._pause = pause
        self._monotonic = monotonic
        self._closed_until: float | None = None
        self._reason: str | None = None
        self._lock = threading.Lock()

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Run a block that talks to the broker.

        Raises:
            BrokerAway: the block raised it, or did so less than a pause ago.
        """
        with self._lock:
            if self._closed_until is not None:
                if self._monotonic() < self._closed_until:
                    raise BrokerAway(self._reason)
                self._closed_until = self._monotonic() + self._pause  # one tries, the others go on waiting for it
        try:
            yield
        except BrokerFull:
            self._open()
            raise
        except BrokerAway as error:
            with self._lock:
                self._closed_until, self._reason = self._monotonic() + self._pause, error.sentence
            raise
        self._open()

    def _open(self) -> None:
        with self._lock:
            self._closed_until = None
