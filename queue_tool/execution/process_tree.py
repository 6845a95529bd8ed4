"""The processes above and below this one: it ends with its parent, and sees all processes that its tasks left."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
from contextlib import suppress

from queue_tool.execution.isolation import exit_with_parent

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
"""Numbers of prctl(2), a system call of Linux."""


def end_with_parent() -> None:
    """Let the kernel kill this process when its parent ends. Elsewhere than on Linux, a thread does it."""
    if not _control(_PR_SET_PDEATHSIG, signal.SIGKILL):
        exit_with_parent()


class Descendants:
    """All processes that were started below this one, also by processes that have ended already."""

    def __init__(self) -> None:
        """Adopt the orphans below this process from now on: the kernel makes them its children."""
        self._adopts = _control(_PR_SET_CHILD_SUBREAPER, 1)
        self._reaped = _reaped()

    def are_left(self) -> bool:
        """Return whether one of them may still run. Reap those that have ended."""
        multiprocessing.active_children()  # reaps those that it knows, so that it does not take them for alive later
        with suppress(ChildProcessError):  # there is none
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            return True
        return not self._adopts and _reaped() != self._reaped  # an orphan may be left


def _control(option: int, value: int) -> bool:
    """Set an attribute of this process. Return False if this system has no such attribute."""
    if not sys.platform.startswith("linux"):
        return False
    import ctypes  # only here: the worker itself does not need its memory

    return bool(ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), 0, 0, 0) == 0)


def _reaped() -> int:
    """Return a number that grows when a child ends and is waited for."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
