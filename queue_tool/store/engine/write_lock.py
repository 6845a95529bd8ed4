"""The write lock: a lock between processes that is taken before a transaction that writes to SQLite.

SQLite lets one process write at a time and makes the others poll, with pauses of up to a tenth of a second.
Waiting here first, with short pauses, makes the longest wait many times shorter.
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
"""Seconds between two tries to take the lock from another process."""


class WriteLock:
    """One writer at a time: among the threads of this process, then among all processes that share the file."""

    def __init__(self, path: Path, patience: float) -> None:
        """Prepare the lock; the file is made at the first use. `patience` is in seconds."""
        self._path = path
        self._patience = patience
        self._thread = threading.Lock()
        self._file: int | None = None

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the lock for the length of a block.

        Raises:
            TimeoutError: somebody else held it for longer than the patience lasts.
            OSError: the file cannot be opened.
        """
        until = time.monotonic() + self._patience
        if not self._thread.acquire(timeout=self._patience):
            raise TimeoutError("another thread is writing")
        try:
            self._lock_file(until)
            try:
                yield
            finally:
                fcntl.flock(self._opened(), fcntl.LOCK_UN)
        finally:
            self._thread.release()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _lock_file(self, until: float) -> None:
        while True:
            try:
                fcntl.flock(self._opened(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise TimeoutError("another process is writing") from None
                time.sleep(PAUSE)
            else:
                return

    def _opened(self) -> int:
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._file
