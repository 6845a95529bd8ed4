"""The surroundings of the tasks of one warm process: each task finds them as the first one did."""

from __future__ import annotations

import gc
import importlib
import locale
import os
import random
import resource
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from queue_tool.environment import Variables
from queue_tool.execution.process_tree import Descendants
from queue_tool.host import logs
from queue_tool.host.working_directory import WorkingDirectory

SEED = 16
"""Bytes of randomness with which `random` is seeded for each task."""

MOST_LEFT_OPEN = 64
"""Files that tasks may have left open in one process."""

_PAGE = resource.getpagesize()
_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in which this system counts the largest resident memory."""

_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_SIGNALS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
_LIMITS = [getattr(resource, f"RLIMIT_{name}") for name in ("AS", "CORE", "CPU", "DATA", "FSIZE", "NOFILE", "STACK")]

_handler: Callable[[int], object] = importlib.import_module("_signal").getsignal
"""What `signal.getsignal` calls. Ten times as fast, because it makes no enums."""


class Surroundings:
    """What a task may have changed in its process."""

    def __init__(self, memory: int) -> None:
        """Remember the state of this process.

        Args:
            memory: the bytes that it may occupy before another process takes its place. A process that occupies more
                from its start may gain as much.
        """
        self._resident = _Resident()
        began = self._resident.bytes()
        self._memory = memory if began < memory else began + memory
        self._directory = WorkingDirectory()
        self._variables = Variables()
        self._mask = os.umask(0)
        os.umask(self._mask)
        self._streams = (sys.stdin, sys.stdout, sys.stderr)
        self._locale = locale.setlocale(locale.LC_ALL)
        self._descendants = Descendants()
        self._threads = threading.active_count()
        self._free = _free_descriptor()
        self._fixed = _fixed()

    def restore(self) -> bool:
        """Undo what a task has changed. Return False if something is left that only the end of the process undoes."""
        try:
            self._restore()
            return not (self._has_left_something() or self._resident.exceeds(self._memory))
        except Exception:  # noqa: BLE001 - the task has taken away what this needs, for example a descriptor
            return False

    def _restore(self) -> None:
        self._directory.restore()
        self._variables.restore()
        os.umask(self._mask)
        sys.stdin, sys.stdout, sys.stderr = self._streams
        if locale.setlocale(locale.LC_ALL) != self._locale:
            locale.setlocale(locale.LC_ALL, self._locale)
        for timer in _TIMERS:
            signal.setitimer(timer, 0)
        random.seed(int.from_bytes(os.urandom(SEED), "big"))

    def _has_left_something(self) -> bool:
        return (
            self._descendants.are_left()
            or threading.active_count() != self._threads
            or sys.stdout.closed
            or sys.stderr.closed
            or _free_descriptor() > self._free + MOST_LEFT_OPEN
            or _fixed() != self._fixed
        )


class _Resident:
    """The resident memory of this process."""

    def __init__(self) -> None:
        self._statistics: int | None = None
        with suppress(OSError):
            self._statistics = os.open("/proc/self/statm", os.O_RDONLY)

    def bytes(self) -> int:
        """Return how much it is now. Elsewhere than on Linux, return the most that it has been."""
        if self._statistics is None:
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
        return int(os.pread(self._statistics, 100, 0).split()[1]) * _PAGE

    def exceeds(self, limit: int) -> bool:
        """Return whether it is more than this number of bytes."""
        has_ever = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT > limit  # fast, and mostly false
        return has_ever and self.bytes() > limit


def _fixed() -> object:
    """Return what a task must not change: it is not known how to undo that, or what it did meanwhile."""
    stdout, stderr = os.fstat(1), os.fstat(2)
    return (
        [*map(_handler, _SIGNALS)],
        signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        [*map(resource.getrlimit, _LIMITS)],
        (os.getuid(), os.geteuid(), os.getgid(), os.getegid(), os.getpgrp(), os.getpriority(os.PRIO_PROCESS, 0)),
        (stdout.st_dev, stdout.st_ino, stderr.st_dev, stderr.st_ino),
        logs.configuration(),
        (sys.getrecursionlimit(), sys.gettrace(), sys.getprofile(), gc.isenabled()),
    )


def _free_descriptor() -> int:
    """Return the lowest number that a new file gets."""
    found = os.dup(1)
    os.close(found)
    return found
