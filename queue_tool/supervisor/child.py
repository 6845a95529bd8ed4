"""A child of the supervisor: a part of the system, and the process that runs it now."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from queue_tool.host.readiness import Readiness

MAX_FAILED_STARTS = 5
"""Starts in a row after which a child ended before it was ready. They stop the whole system."""

SHORT_LIFE = 10.0
"""Seconds. The delay before a restart grows with each shorter life of a child in a row."""

MOST_DOUBLED = 10
"""How often the delay before a restart is doubled at most: by then it is longer than the longest one."""

LONGEST_DELAY = 5.0
"""Seconds. The longest delay before a restart."""

LONGEST_DELAY_AFTER_READY = 1.0
"""Seconds. The longest delay if the child was ready: the system waits for it, and it has shown that it can start."""


class Process(Protocol):
    """A process of a child: a new one, or a fork of the supervisor."""

    @property
    def pid(self) -> int:
        """Return its pid."""

    @property
    def returncode(self) -> int | None:
        """Return its exit code; None while it runs."""

    def wait(self) -> int:
        """Wait until it ends; return its exit code."""


@dataclass(slots=True)
class Child:
    """A part of the system and its current process."""

    name: str
    start: Callable[[Readiness], Process]
    patience: float  # seconds that the child may take to stop
    stop_with: signal.Signals = signal.SIGTERM
    process: Process | None = None  # None: not started yet, or dead and waiting for its restart
    born: float = 0.0
    readiness: Readiness | None = None  # of the current process
    short_lives: int = 0  # in a row
    failed_starts: int = 0  # in a row
    dismissed: bool = False  # was asked to end for good: another child with new code has its place, or none has
    proved: bool = False  # was ready once, so later deaths never stop the whole system
    gone: threading.Event = field(default_factory=threading.Event)

    def was_ready(self) -> bool:
        """Return whether the process that has ended was ready. Call it once for each process."""
        ready, self.readiness = self.readiness, None
        return ready is not None and ready.close()

    def note_end(self, *, was_ready: bool, lived: float, is_excused: bool) -> None:
        """Count an end of its process, or a start that failed.

        Args:
            was_ready: whether the process was ready.
            lived: how long it ran, in seconds.
            is_excused: whether no child can start now, so that a failed start says nothing about this one.
        """
        self.proved = self.proved or was_ready
        if not is_excused:
            self.failed_starts = 0 if was_ready else self.failed_starts + 1
        self.short_lives = self.short_lives + 1 if lived < SHORT_LIFE or not was_ready else 0

    @property
    def keeps_dying(self) -> bool:
        """Return whether it was never ready in so many starts that the whole system must stop."""
        return self.failed_starts >= MAX_FAILED_STARTS and not self.proved

    def delay(self, *, was_ready: bool) -> float:
        """Return the seconds until the next start. They grow with each short life in a row."""
        longest = LONGEST_DELAY_AFTER_READY if was_ready else LONGEST_DELAY
        return min(longest, 0.1 * 2.0 ** min(self.short_lives, MOST_DOUBLED))


def terminate(child: Child, process: Process) -> None:
    """Ask a child's process to end, if it still runs."""
    if not child.gone.is_set():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, child.stop_with)  # Popen.terminate would reap it, but another thread does that


def kill_if_running(child: Child, process: Process) -> None:
    """Kill a child's process and all that it started, if it still runs."""
    if child.process is process and not child.gone.is_set():
        kill_group(process)


def kill_group(process: Process) -> None:
    """Kill all processes that are left in a child's session. Often there are none."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
