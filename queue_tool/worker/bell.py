"""The bell of a process of the pool: a pipe by which it, or any thread here, wakes the thread that hears it."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

MOST_RINGS = 1024
"""Bytes that are read at once. If there are more, it rings again."""


class Bell:
    """Both ends of the pipe. The process has the end that rings, too."""

    def __init__(self, forks: Any) -> None:
        """Open the pipe with this context of `multiprocessing`."""
        self._hearing, self.ringing = forks.Pipe(duplex=False)
        self.descriptor: int = self._hearing.fileno()
        os.set_blocking(self.descriptor, False)

    def ring(self) -> None:
        """Wake the thread."""
        with suppress(BlockingIOError):  # it rings already
            os.write(self.ringing.fileno(), b"!")

    def be_quiet(self) -> None:
        """Read the rings that have arrived."""
        with suppress(BlockingIOError):
            os.read(self.descriptor, MOST_RINGS)

    def close(self) -> None:
        """Close the pipe."""
        self._hearing.close()
        self.ringing.close()
