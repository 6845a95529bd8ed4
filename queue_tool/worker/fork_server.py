"""The fork server of the isolated lane, which starts all of its processes."""

from __future__ import annotations

import atexit
import multiprocessing
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import forkserver, resource_tracker
from typing import Any

from queue_tool.environment import children_search_safely
from queue_tool.execution.guard import Guard
from queue_tool.host.working_directory import WorkingDirectory


class ForkServer:
    """A process without threads that has the user's task types loaded, and forks. It ends with this process.

    A fork of this process would copy its locks, and some of them may be held by other threads. So the standard
    library's fork server makes the forks.
    """

    def __init__(self, directory: WorkingDirectory) -> None:
        """Prepare. `directory` is the directory in which it starts."""
        self._directory = directory
        self.forks: Any = multiprocessing.get_context("forkserver")
        self.forks.set_forkserver_preload(["queue_tool.worker.preload"])
        self.guard = Guard(self.forks)
        atexit.register(self._stop)
        atexit.register(self.guard.close)  # before the server: it is the last process that keeps the server alive
        self._starting = threading.Lock()
        self._started = False
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
        """
        self._ensure_running()
        self.guard.start()

    def _stop(self) -> None:
        """Stop the server and its helper, and wait for their ends: a worker that has ended leaves no process behind.

        A process that a task has left behind may keep them alive. Then the worker exits without them.
        """
        server: Any = forkserver._forkserver
        helper: Any = resource_tracker._resource_tracker
        for part in (server, helper):
            with suppress(OSError):
                part._stop()

    def _await_first(self, report: Callable[[], object]) -> None:
        """Wait until the server has started the guard: before, it loads the task types."""
        try:
            with suppress(OSError, EOFError):  # a signal may have ended the server: the next run starts another one
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
                self._started = True
