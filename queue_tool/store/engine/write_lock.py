"""The write lock: a lock between processes that a transaction takes before it writes to SQLite.

SQLite lets one process write at a time. The other processes poll with pauses of up to 0.1 seconds. Here the kernel
wakes the next process, which makes the longest wait many times shorter.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
        self._file = _File(path)
        self._queue = _Queue(path)

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
            file = self._lock_file(until)
            try:
                yield
            finally:
                file.unlock()
        finally:
            self._thread.release()

    def close(self) -> None:
        """Close the lock file."""
        self._file.close()
        self._queue.close()

    def _lock_file(self, until: float) -> _File:
        """Lock the file, and return it as it was opened for that."""
        if self._file.try_to_lock():
            return self._file
        if not self._queue.lock(until - time.monotonic()):
            raise TimeoutError("another process is writing")
        return self._queue.file


class _Queue:
    """The wait for a lock that another process has. The kernel cannot end it in time, so a thread of its own waits.

    If the caller has stopped waiting when this thread gets the lock, the thread unlocks it at once.
    """

    def __init__(self, path: Path) -> None:
        """Prepare. The thread starts with the first wait."""
        self.file = _File(path)
        self._mutex = threading.Lock()
        self._asked = threading.Semaphore(0)
        self._got = threading.Semaphore(0)
        self._is_wanted = False  # a caller waits for the lock
        self._waits = False  # the thread waits for the lock
        self._error: OSError | None = None
        self._has_thread = False
        self._is_closed = False

    def lock(self, timeout: float) -> bool:
        """Wait for the lock; return whether this process has it now. One caller may wait at a time.

        Args:
            timeout: seconds.

        Raises:
            OSError: the lock file cannot be opened.
        """
        with self._mutex:
            self._is_wanted = True
            if not self._waits:
                self._waits = True
                self._asked.release()
            if not self._has_thread:
                self._has_thread = True
                threading.Thread(target=self._run, name="write lock", daemon=True).start()
        if not self._got.acquire(timeout=max(0.0, timeout)):
            with self._mutex:
                if self._is_wanted:
                    self._is_wanted = False
                    return False
            self._got.acquire()  # it came at the last moment
        if self._error is not None:
            raise self._error
        return True

    def close(self) -> None:
        """End the thread, which closes the lock file: at once, or when it gets the lock."""
        with self._mutex:
            if self._has_thread:
                self._is_closed = True
                self._asked.release()

    def _run(self) -> None:
        while True:
            self._asked.acquire()
            error = None if self._is_closed else self._wait()
            with self._mutex:
                self._waits = False
                if self._is_closed:
                    error = OSError(errno.EBADF, "The write lock was closed.")
                if self._is_wanted:
                    self._is_wanted, self._error = False, error
                    self._got.release()
                elif error is None:
                    self.file.unlock()
                if self._is_closed:
                    self._has_thread = self._is_closed = False
                    self.file.close()
                    return

    def _wait(self) -> OSError | None:
        """Wait for the lock; return the error if it cannot be had."""
        try:
            self.file.lock()
        except OSError as error:
            return error
        return None


class _File:
    """The lock file, opened at the first use. What locks it is this open file, and not the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def try_to_lock(self) -> bool:
        """Lock the file and return True, or return False if it is locked.

        Raises:
            OSError: it cannot be opened, or is a symbolic link.
        """
        try:
            fcntl.flock(self._opened(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def lock(self) -> None:
        """Wait until the file is not locked, and lock it.

        Raises:
            OSError: it cannot be opened, or is a symbolic link.
        """
        fcntl.flock(self._opened(), fcntl.LOCK_EX)

    def unlock(self) -> None:
        """Unlock the file."""
        fcntl.flock(self._opened(), fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _opened(self) -> int:
        if self._descriptor is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o600)
        return self._descriptor
