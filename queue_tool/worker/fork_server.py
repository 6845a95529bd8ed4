"""The fork server of the isolated lane, which starts all of its processes."""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.process import BaseProcess
from typing import Any

from queue_tool.environment import children_search_safely
from queue_tool.execution import process_group
from queue_tool.execution.guard import Guard
from queue_tool.host import processes
from queue_tool.host.working_directory import WorkingDirectory
from queue_tool.worker.patience import SECONDS, Patience

_log = logging.getLogger("queue_tool.worker")

_NONE = 0
"""Stands for the pid of a fork server that does not run."""

LOADING = 3
"""How much longer the first answer of a server may take: before, it imports the modules of the user."""

MOMENT = 1.0
"""Seconds that the start of a server may take."""


class ForkServer:
    """A process without threads that has the user's task types loaded, and forks. It ends with this process.

    A fork of this process would copy its locks, and some of them may be held by other threads. So the standard
    library's fork server makes the forks. If it does not answer, it is killed, and another one takes its place.
    """

    def __init__(self, directory: WorkingDirectory, patience: float = SECONDS) -> None:
        """Prepare.

        Args:
            directory: the directory in which it starts.
            patience: seconds that it may take to answer.
        """
        self._directory = directory
        self.patience = Patience(patience, _running, self._kill)
        self.forks: Any = multiprocessing.get_context("forkserver")
        self.forks.set_forkserver_preload(["queue_tool.worker.preload"])
        self.guard = Guard(self.forks)
        atexit.register(self._stop)
        atexit.register(self._close_guard)  # before the server: it is the last process that keeps the server alive
        self._starting = threading.Lock()
        self._started = self._was_started = False
        self._killed = _NONE
        self._is_ready = threading.Event()
        self._is_ready.set()  # a first run that starts it waits for it

    @property
    def is_ready(self) -> bool:
        """Return False while the server that `start_early` has started loads the task types."""
        return self._is_ready.is_set()

    def start_early(self, report: Callable[[], object]) -> None:
        """Start the server before the first run needs it. `report` is called when it can fork."""
        self._is_ready.clear()
        self._ensure_running()
        threading.Thread(target=self._await_first, args=(report,), name="fork server", daemon=True).start()

    def start(self) -> None:
        """Start the server and the guard, if they do not run. If they die, others take their places.

        Raises:
            OSError: one of them cannot be started.
            EOFError: the server has ended.
        """
        self._ensure_running()
        with self.patience.waiting(LOADING):
            self.guard.start()

    def start_process(self, process: BaseProcess) -> str | None:
        """Let the server fork a process, and the guard watch it. Return its start time.

        Raises:
            OSError: it cannot be started.
            EOFError: the server has ended.
        """
        with self.answering():
            process.start()
            assert process.pid is not None  # it was started
            self.guard.watch(process.pid)
        return processes.started(process.pid)

    def end_process(self, process: BaseProcess, born: str | None, await_death: Callable[[], object]) -> None:
        """End a process and its group, and wait until the server has reported its end.

        Args:
            process: the process.
            born: its start time.
            await_death: waits for its end. The server need not answer before.
        """
        assert process.pid is not None  # it was started
        if processes.started(process.pid) in (
            None,
            born,
        ):  # otherwise its pid is that of a stranger, and its group has ended
            process_group.end_group(process)
        await_death()
        with self.answering():
            process.join()
            self.guard.leave(process.pid)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Bound a wait for the server. It reports the start and the end of each process."""
        with self.patience.waiting():
            yield

    def _kill(self, pid: int) -> None:
        """Kill a server that does not answer, and its processes: nobody else would learn of their ends.

        One of them may be what does not answer. The guard lives on, and ends what the others leave behind.
        """
        server: Any = forkserver._forkserver
        has_lock = server._lock.acquire(timeout=MOMENT)  # if not, another thread waits for the end of the server
        try:
            if pid in (_NONE, self._killed) or pid != server._forkserver_pid:  # if another one runs, it has been reaped
                return
            self._killed = pid
            self.patience.was_in_vain()
            _log.warning("the fork server of the isolated lane does not answer: it is killed, and another one starts")
            _send(pid, signal.SIGSTOP)  # so that it reaps none of its processes
            for child in processes.children(pid):
                if child != self.guard.pid:
                    _send(child, signal.SIGKILL)
            _send(pid, signal.SIGKILL)
            self._started = False
        finally:
            if has_lock:
                server._lock.release()

    def _close_guard(self) -> None:
        if self._was_started:
            with self.answering():  # also for the end of its start, or it would wait for this process for ever
                self.guard.close()

    def _stop(self) -> None:
        """Stop the server and its helper, and wait for their ends: a worker that has ended leaves no process behind.

        A process that a task has left behind may keep them alive. Then the worker exits without them.
        """
        server: Any = forkserver._forkserver
        helper: Any = resource_tracker._resource_tracker
        if server._forkserver_pid is not None:
            with suppress(OSError), self.answering():
                server._stop()
        with suppress(OSError):
            helper._stop()

    def _await_first(self, report: Callable[[], object]) -> None:
        """Wait until the server has started the guard: before, it loads the task types."""
        try:
            with suppress(OSError, EOFError), self.patience.waiting(LOADING):  # if it ends, the next run starts another
                self.guard.start()
        finally:
            self._is_ready.set()
            report()

    def _ensure_running(self) -> None:
        with self._starting:
            if not self._started:
                self._directory.leave_removed()
                with children_search_safely():
                    forkserver.ensure_running()
                self._started = self._was_started = True


def _running() -> int:
    """Return the pid of the server that runs now."""
    server: Any = forkserver._forkserver
    return server._forkserver_pid or _NONE


def _send(pid: int, which: int) -> None:
    with suppress(OSError):  # it has ended, or has become another user's
        os.kill(pid, which)
