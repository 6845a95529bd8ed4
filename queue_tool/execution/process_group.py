"""The process group of an isolated run: its process, and all processes that this one starts."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from multiprocessing.process import BaseProcess
from typing import Protocol

MOMENT = 1.0
"""Seconds that a process group may take to end after SIGTERM. Then SIGKILL ends it."""

ORDERS = frozenset((-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP, 255))
"""The exit codes of a process that somebody has told to end. 255: the fork server, which knows the code, ended too."""

PAUSE = 0.01
"""Seconds between two checks whether a group has ended."""


class Child(Protocol):
    """A child of this process that has been started."""

    @property
    def pid(self) -> int | None:
        """Return its pid."""

    @property
    def sentinel(self) -> int:
        """Return a descriptor that can be read when it has ended."""

    @property
    def exitcode(self) -> int | None:
        """Return its exit code; None while it lives."""


def lead() -> None:
    """Give this process its own session and process group. The processes that it starts belong to them, too."""
    with suppress(PermissionError):  # it leads a group already
        os.setsid()


def send(leader: int, which: int) -> bool:
    """Send a signal to a process group. Return False if there is no such group, or if we may not send it signals.

    Args:
        leader: the pid of the process that leads the group; if it does not lead it yet, it gets the signal alone.
        which: the signal; 0 sends none.
    """
    for deliver in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            deliver(leader, which)
            return True
    return False


def end(leader: int) -> None:
    """End a process group: SIGTERM, and SIGKILL if it has not ended after a moment."""
    if _ask(leader):
        _kill_after_a_moment(leader, time.monotonic() + MOMENT)


def end_all(leaders: set[int]) -> None:
    """End several process groups at the same time."""
    until = time.monotonic() + MOMENT
    for leader in leaders:
        _ask(leader)
    for leader in leaders:
        _kill_after_a_moment(leader, until)


def end_with(child: BaseProcess) -> None:
    """End the process group that a child of this process leads, and reap the child."""
    assert child.pid is not None  # it was started
    end_group(child)
    child.join()


def end_group(child: BaseProcess) -> None:
    """End the process group that a child of this process leads, or has led. The child may die a moment later."""
    assert child.pid is not None  # it was started
    until = time.monotonic() + MOMENT
    _ask(child.pid)
    has_ended(child, until)
    _kill_after_a_moment(child.pid, until)


def has_ended(child: Child, until: float) -> bool:
    """Wait until a child of this process has ended; return False at the deadline (monotonic).

    `join` with a timeout would wait for the end of a pipe instead. The child may have closed it, or a child of it may
    hold it open.
    """
    while child.exitcode is None:
        if time.monotonic() >= until:
            return False
        time.sleep(PAUSE)
    return True


def _ask(leader: int) -> bool:
    """Ask a process group to end. A stopped process is continued, because it could not end."""
    return send(leader, signal.SIGTERM) and send(leader, signal.SIGCONT)


def _kill_after_a_moment(leader: int, until: float) -> None:
    while send(leader, 0):
        if time.monotonic() >= until:
            send(leader, signal.SIGKILL)
            return
        time.sleep(PAUSE)
