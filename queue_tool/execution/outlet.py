"""The writing end of a pipe to a child. Several threads write lines, and nobody waits for a child that has ended."""

from __future__ import annotations

import math
import os
import select
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection

LONGEST_POLL = 86400.0
"""Seconds that one poll of a pipe may take: the operating system allows a few weeks at most."""


class Outlet:
    """Writes whole lines. The rest of a large one waits for room in the pipe, while the child lives."""

    def __init__(self, pipe: Connection, dead: int) -> None:
        """Write to this pipe, which `close` closes.

        Args:
            pipe: the writing end.
            dead: a file descriptor that can be read when the child has ended.
        """
        self._pipe = pipe
        self._dead = dead
        self._lock = threading.Lock()
        os.set_blocking(pipe.fileno(), False)

    def write(self, line: bytes, until: float = math.inf) -> None:
        """Write a line, or a part of it if the child ends first or at the deadline. After `close`, write nothing.

        Args:
            line: the line with its end.
            until: the deadline (monotonic).

        Raises:
            BrokenPipeError: the child has died.
        """
        with self._lock:
            left = memoryview(line)
            while left and not self._pipe.closed:
                try:
                    left = left[os.write(self._pipe.fileno(), left) :]
                except BlockingIOError:
                    if not self._has_room(until):
                        return

    def reply(self, line: bytes) -> None:
        """Write a line for a child that may have ended."""
        with suppress(BrokenPipeError):
            self.write(line)

    def close(self) -> None:
        """Close the pipe. The child must have ended, since another thread may wait for room."""
        with self._lock:
            self._pipe.close()

    def _has_room(self, until: float) -> bool:
        """Wait until the pipe has room. Return False if the child dies first, or at the deadline."""
        poll = select.poll()
        poll.register(self._pipe.fileno(), select.POLLOUT)
        poll.register(self._dead, select.POLLIN)
        seconds = min(LONGEST_POLL, max(0.0, until - time.monotonic()))
        ready = poll.poll(math.ceil(seconds * 1000))
        return bool(ready) and all(descriptor != self._dead for descriptor, _ in ready)
