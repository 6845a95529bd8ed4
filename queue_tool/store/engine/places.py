"""Places: the connections that an engine may use at the same time, and how long a caller waits for one of them.

A server that answers nobody must not stop every thread of this process. Without this rule each thread would wait for a
connection until its timeout, again and again, and no thread would be left for requests that need no database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SILENCE = 1.0
"""Seconds without any answer after which a server counts as silent."""

PROBES = 8
"""Connections in use, of all engines, that suffice to notice the end of a silence: nobody else joins them."""


class Server:
    """What this process knows of a server: how many connections are in use, and when it answered last."""

    def __init__(self, timeout: float) -> None:
        """Start with no connection in use.

        Args:
            timeout: seconds to wait for a place.
        """
        self.timeout = timeout
        self.lock = threading.Lock()
        self.in_use = 0
        self._last_answer = 0.0  # monotonic

    def note_answer(self) -> None:
        """Note that the server has just answered to somebody."""
        self._last_answer = time.monotonic()

    def seconds_to_silence(self) -> float:
        """Return after how many seconds a caller must give up, unless an answer comes; 0 or less: at once."""
        if self.in_use < PROBES:
            return self.timeout
        return self._last_answer + SILENCE - time.monotonic()


class Places:
    """The connections that one engine may use at the same time."""

    def __init__(self, server: Server, count: int) -> None:
        """Start with this number of free places."""
        self._server = server
        self._free = count
        self._freed = threading.Condition(server.lock)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take a place for the length of the block.

        Raises:
            TimeoutError: all places stayed taken until the timeout, or the server answers nobody.
        """
        self._take()
        try:
            yield
        finally:
            with self._freed:
                self._free += 1
                self._server.in_use -= 1
                self._freed.notify()

    def _take(self) -> None:
        until = time.monotonic() + self._server.timeout
        with self._freed:
            if not self._server.in_use:
                self._server.note_answer()  # nobody has asked, so a silence begins now
            while (left := min(until - time.monotonic(), self._server.seconds_to_silence())) > 0:
                if self._free:
                    self._free -= 1
                    self._server.in_use += 1
                    return
                self._freed.wait(left)
        raise TimeoutError("the server does not answer, or all connections are in use")
