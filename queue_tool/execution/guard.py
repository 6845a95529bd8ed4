"""The guard: a process that ends the process groups of isolated runs when the worker has ended, even by kill -9.

The processes of a run cannot do that themselves: their code may be busy in a library, or their leader may be dead. The
guard has a session of its own, so that no signal to the worker's group reaches it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

from queue_tool.execution import process_group

GENTLY = 0
"""What the worker sends before it ends in order. Otherwise the guard kills the groups at once."""


class Guard:
    """The guard, seen from the process that starts isolated runs."""

    def __init__(self, processes: Any) -> None:
        """Prepare. `start` starts the process.

        Args:
            processes: a context of `multiprocessing`, with which the guard is started.
        """
        self._processes = processes
        self._lock = threading.Lock()
        self._watched: set[int] = set()
        self._pipe: Connection | None = None
        self._process: multiprocessing.process.BaseProcess | None = None
        _guards.add(self)

    @property
    def pid(self) -> int | None:
        """Return the pid of the process; None if it has not been started."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start the process, if it does not run."""
        with self._lock:
            if self._pipe is None:
                self._start()

    @contextmanager
    def watching(self, leader: int) -> Iterator[None]:
        """Watch the process group with this leader during the block, which ends the group itself."""
        self.watch(leader)
        try:
            yield
        finally:
            self.leave(leader)

    def watch(self, leader: int) -> None:
        """Watch the process group with this leader from now on."""
        with self._lock:
            self._watched.add(leader)
            self._send(leader)

    def leave(self, leader: int) -> None:
        """Stop watching a process group, which has ended."""
        with self._lock:
            self._watched.discard(leader)
            self._send(-leader)

    def close(self) -> None:
        """Let the guard end the groups that are left, and wait until it has done so."""
        with self._lock:
            if self._pipe is None or self._process is None:
                return
            self._send(GENTLY)
            self.abandon()
            self._process.join()

    def abandon(self) -> None:
        """Close this process's end of the pipe."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None

    def _start(self) -> None:
        reading, self._pipe = self._processes.Pipe(duplex=False)
        process = self._processes.Process(target=keep, args=(reading,), name="guard", daemon=True)
        try:
            process.start()
            for leader in self._watched:
                _write(self._pipe, leader)
        except (OSError, EOFError):  # EOFError: the fork server has ended
            self.abandon()
            raise
        finally:
            reading.close()
        self._process = process

    def _send(self, number: int) -> None:
        if self._pipe is None:  # this process ends, or no guard could be started
            return
        try:
            _write(self._pipe, number)
        except OSError:  # the guard was killed: another one takes its place
            self.abandon()
            with suppress(OSError, EOFError):  # the next run tries again
                self._start()


def keep(reading: Connection) -> None:
    """Remember the groups that the worker names. At the end of the pipe, end those that are left."""
    process_group.lead()
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    watched: set[int] = set()
    gently = False
    with open(reading.fileno(), "rb", closefd=False) as lines:
        for line in lines:
            number = int(line)
            gently = gently or number == GENTLY
            watched = watched | {number} if number > 0 else watched - {-number}
    if gently:
        process_group.end_all(watched)
    for leader in watched:
        process_group.send(leader, signal.SIGKILL)


def _write(pipe: Connection, number: int) -> None:
    os.write(pipe.fileno(), b"%d\n" % number)  # so short a text is written at once or not at all


_guards: weakref.WeakSet[Guard] = weakref.WeakSet()


def _abandon_all() -> None:
    """Close the pipes in a forked child: otherwise the guard would not notice the end of the worker before its."""
    for guard in list(_guards):
        with suppress(OSError):
            guard.abandon()


os.register_at_fork(after_in_child=_abandon_all)
