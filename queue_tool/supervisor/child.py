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
