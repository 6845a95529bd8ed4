"""Patience: how long a worker waits for a sign of life of a process of the isolated lane before it kills the process.

A process may be stopped, or wait for ever for a lock that the user's code held at the fork. Its tasks must not wait.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_log = logging.getLogger("queue_tool.worker")

SECONDS = 60.0
"""Seconds without a sign of life. To start a process takes a hundredth of a second, but machines may be overloaded."""

LONGER = 2
"""Each time that it was in vain, the next wait may take so many times as long, for an overloaded machine."""

LONGEST = 16
"""The longest wait, in first ones."""

LOOKS = 8
"""How often a wait is looked at. Between two looks the whole machine may have stood still, which counts as one look."""

MOST_BETWEEN = 1.0
"""Seconds between two looks at most."""


class Patience:
    """Bounds waits. All threads that wait for the processes of one lane share it."""

    def __init__(self, seconds: float, subject: Callable[[], int], end: Callable[[int], None]) -> None:
        """Prepare.

        Args:
            seconds: how long a wait may take.
            subject: returns the pid of what is waited for now. When it changes, the waits begin anew.
            end: called in a thread of its own with the pid, if a wait takes longer. It must end the wait.
        """
        self.first = self.seconds = seconds
        self.every = min(MOST_BETWEEN, seconds / LOOKS)
        self._subject = subject
        self._end = end
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._waits: dict[int, _Wait] = {}
        self._is_idle = False
        self._thread: threading.Thread | None = None

    def was_rewarded(self) -> None:
        """Note that a process gave a sign of life."""
        self.seconds = self.first

    def was_in_vain(self) -> None:
        """Note that a process gave none and is killed."""
        self.seconds = min(LONGER * self.seconds, LONGEST * self.first)

    @contextmanager
    def waiting(self, times: int = 1) -> Iterator[None]:
        """Bound the wait that this block is, which may take so many times as long as others."""
        number = next(self._numbers)
        with self._changed:
            if self._thread is None:
                thread = threading.Thread(target=self._look, name="patience", daemon=True)
                with suppress(RuntimeError):  # since Python 3.12, no thread starts while the process ends
                    thread.start()
                    self._thread = thread
            self._waits[number] = _Wait(self._subject(), times, times * self.seconds)
            if self._is_idle:
                self._changed.notify()
        try:
            yield
        finally:
            self._waits.pop(number, None)

    def _look(self) -> None:
        while True:
            with self._changed:
                self._is_idle = True
                self._changed.wait_for(lambda: self._waits)
                self._is_idle = False
            began = time.monotonic()
            time.sleep(self.every)
            passed = min(time.monotonic() - began, 2 * self.every)
            for number, wait in list(self._waits.items()):
                if number in self._waits:
                    self._check(wait, passed)

    def _check(self, wait: _Wait, passed: float) -> None:
        subject = self._subject()
        if subject != wait.subject or wait.left <= 0:
            wait.subject, wait.left = subject, wait.times * self.seconds
        wait.left -= passed
        if wait.left <= 0:
            try:
                self._end(subject)
            except Exception:  # noqa: BLE001 - the other waits need this thread
                _log.exception("a process that gives no sign of life could not be killed")


class _Wait:
    """A wait that has not ended."""

    def __init__(self, subject: int, times: int, left: float) -> None:
        self.subject = subject
        self.times = times
        self.left = left  # seconds
