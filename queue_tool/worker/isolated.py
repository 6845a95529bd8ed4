"""The isolated lane: a pool of warm processes, forked from a small server process without threads.

A fork of this process would copy its locks, and some of them may be held by other threads. So the standard library's
fork server makes the forks. It has the user's task types loaded already, and it ends with this process.
"""

from __future__ import annotations

import atexit
import multiprocessing
import threading
from collections import deque
from contextlib import suppress
from multiprocessing import forkserver

from queue_tool.environment import children_search_safely
from queue_tool.execution.guard import Guard
from queue_tool.host.clock import CLOCK
from queue_tool.host.working_directory import WorkingDirectory
from queue_tool.model.context import Context
from queue_tool.model.outcome import Ended
from queue_tool.model.run import Run
from queue_tool.model.states import ALONE_FROM, Code
from queue_tool.worker.executors import ThreadExecutor
from queue_tool.worker.inbox import Inbox
from queue_tool.worker.pool_process import Limits, PoolProcess


class IsolatedExecutor(ThreadExecutor):
    """Calls functions in processes. Each slot has a thread, which takes a free process for each run."""

    def __init__(
        self,
        slots: int,
        name: str,
        inbox: Inbox,
        directory: WorkingDirectory,
        limits: Limits | None = None,
        *,
        start_server: bool,
    ) -> None:
        """Prepare to run at most `slots` processes at the same time. Each starts when it is needed.

        Args:
            slots: how many runs may be active at the same time.
            name: the prefix of the thread names.
            inbox: receives the ends of the runs.
            directory: the directory in which the tasks start.
            limits: how long a process is used.
            start_server: start the fork server now, not at the first run.
        """
        super().__init__(slots, name, inbox)
        self._directory = directory
        self._limits = limits or Limits()
        self._forks = multiprocessing.get_context("forkserver")
        self._forks.set_forkserver_preload(["queue_tool.worker.preload"])
        self._free: deque[PoolProcess] = deque()  # the last one is taken first, so that few are used when few suffice
        self._busy: dict[str, PoolProcess] = {}
        self._sent_at: dict[str, float] = {}
        self._guard = Guard(self._forks)
        atexit.register(self._guard.close)
        self._starting = threading.Lock()
        self._started = False
        if start_server:
            self._ensure_server()

    def stop(self, ticket: str) -> None:
        """End the process that does a run, or prevent the start of the run."""
        super().stop(ticket)
        process = self._busy.get(ticket)
        if process is not None:
            process.stop(ticket)

    def called_at(self, ticket: str) -> float | None:
        """Return when a process got the run (monotonic); None if none has it yet."""
        return self._sent_at.get(ticket)

    def work(self, ticket: str, run: Run, context: Context) -> Ended:
        """Let a process do the run, and wait until it has ended. A process that cannot do another one ends, too."""
        assert run.task_type is not None  # noqa: S101 - a run without a type ends before it is started
        fresh = run.task_type.fresh or run.task.losses >= ALONE_FROM
        died = Code.WORKER_LOST if run.task.losses else Code.ERROR
        ended: Ended | None = None
        while ended is None:
            process = self._process(fresh=fresh)
            self._busy[ticket], self._sent_at[ticket] = process, CLOCK.monotonic()
            try:
                ended = process.do(run, context, died)
            finally:
                del self._busy[ticket], self._sent_at[ticket]
                if fresh or not process.is_usable:
                    process.end()
                else:
                    self._free.append(process)
        return ended

    def _process(self, *, fresh: bool) -> PoolProcess:
        """Return a process that has nothing to do. It may have died."""
        if not fresh:
            with suppress(IndexError):  # there is none
                return self._free.pop()
        self._ensure_server()
        self._guard.start()
        return PoolProcess(self._forks, self._guard, self._directory, self._limits)

    def _ensure_server(self) -> None:
        """Start the fork server if this has not been done. If it dies, the standard library starts another one."""
        with self._starting:
            if not self._started:
                self._directory.leave_removed()
                with children_search_safely():
                    forkserver.ensure_running()
                self._started = True
