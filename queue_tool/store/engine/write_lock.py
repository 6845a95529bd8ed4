"""The write lock: a lock between processes that a transaction takes before it writes to SQLite.

SQLite lets one process write at a time. The other processes poll with pauses of up to 0.1 seconds. This lock polls
with much shorter pauses, which makes the longest wait many times shorter.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAUSE = 0.001
"""Seconds between two attempts to take the lock while another process has it."""


class WriteLock:
    """A lock for one writer: first among the threads of this process, then among all processes that share the file."""

    def __init__(self, path: Path, timeout: float) -> None:
        """Prepare the lock.

        Args:
            path: the lock file, created at the first use.
            timeout: seconds to wait for the lock.
        """
        self._path = path
        self._timeout = timeout
        self._thread = threading.Lock()
        self._file: int | None = None

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the lock during the block.

        Raises:
            TimeoutError: another thread or process held the lock until the timeout.
            OSError: the lock file cannot be opened, or is a symbolic link.
        """
        until = time.monotonic() + self._timeout
        if not self._thread.acquire(timeout=self._timeout):
            raise TimeoutError("another thread is writing")
        try:
            self._lock_file(until)
            try:
                yield
            finally:
                fcntl.flock(self._descriptor(), fcntl.LOCK_UN)
        finally:
            self._thread.release()

    def close(self) -> None:
        """Close the lock file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _lock_file(self, until: float) -> None:
        while True:
            try:
                fcntl.flock(self._descriptor(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise TimeoutError("another process is writing") from None
                time.sleep(PAUSE)
            else:
                return

    def _descriptor(self) -> int:
        if self._file is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.open(self._path, flags, 0o600)
        return self._file
