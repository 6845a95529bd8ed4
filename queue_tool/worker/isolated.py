"""The isolated lane: a pool of warm processes, forked from a small server process without threads.

A fork of this process would copy its locks, and some of them may be held by other threads. So the standard library's
fork server makes the forks. It has the user's task types loaded already, and it ends with this process.
"""

from __future__ import annotations

import atexit
import multiprocessing
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from multiprocessing import forkserver

from queue_tool.environment import children_search_safely
from queue_tool.execution.guard import Guard
from queue_tool.host.working_directory import WorkingDirectory
from queue_tool.model.context import Context
from queue_tool.model.outcome import NOT_BEGUN, Ended, Failed
from queue_tool.model.run import Run
from queue_tool.model.states import MOST_TOGETHER, TOGETHER_FROM, Code
from queue_tool.worker.executors import ThreadExecutor
from queue_tool.worker.inbox import Inbox
from queue_tool.worker.pool_process import Limits, PoolProcess
from queue_tool.worker.suspects import Company, SharedProcess, is_tainted, shares_process

SAME_ORDER = 0.5
"""Seconds between the signals that a service manager sends to all processes at once."""


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
        self.most_begun = slots * MOST_TOGETHER
        self._joining = threading.Lock()
        self._companies: dict[int, Company] = {}  # by the slot of the leader
        self._members: dict[str, tuple[Company, int]] = {}  # by ticket: the number of its channel
        self._directory = directory
        self._limits = limits or Limits()
        self._forks = multiprocessing.get_context("forkserver")
        self._forks.set_forkserver_preload(["queue_tool.worker.preload"])
        self._free: deque[PoolProcess] = deque()  # the last one is taken first, so that few are used when few suffice
        self._busy: dict[str, PoolProcess] = {}
        self._guard = Guard(self._forks)
        atexit.register(self._guard.close)
        self._starting = threading.Lock()
        self._started = False
        if start_server:
            self._ensure_server()

    def start(self, runs: Iterable[Run]) -> None:
        """Pass the runs to the threads. A suspect shares a process that runs already, if one has a place."""
        super().start(runs)
        if self._companies:
            self._fill_places()

    @property
    def companions(self) -> int:
        """Return how many active suspects take no slot, because they share a process with another one."""
        return sum(company.companions for company in list(self._companies.values()))

    @property
    def places(self) -> int:
        """Return how many suspects may join others now."""
        return sum(company.places for company in list(self._companies.values()))

    def shares(self, run: Run) -> bool:
        """Return whether a run is a suspect that may share a process."""
        return shares_process(run)

    def stop(self, ticket: str) -> None:
        """End the process that does a run, or prevent the start of the run. A shared process ends with the others."""
        super().stop(ticket)
        member = self._members.get(ticket)
        if member is not None:
            member[0].stop(ticket)
        process = self._busy.get(ticket)
        if process is not None:
            process.stop(ticket)

    def work(self, slot: int, ticket: str, run: Run, context: Context) -> Ended:
        """Let a process do the run, and wait until it has ended. A process that cannot do another one ends, too.

        The run begins when there is a process. To start the first one may take seconds, in which this worker may die.
        """
        if ticket in self._members:
            return self._work_together(slot, ticket, run, context)
        assert run.task_type is not None  # noqa: S101 - a run without a type ends before it is started
        fresh = run.task_type.fresh or run.task.losses >= TOGETHER_FROM
        ended: Ended | None = None
        while ended is None:
            try:
                process = self._process(fresh=fresh)
            except (EOFError, ConnectionError):  # the fork server was told to end, perhaps together with this worker
                self._inbox.await_order(SAME_ORDER)
                if self._inbox.was_told_to_finish:
                    return NOT_BEGUN
                process = self._process(fresh=fresh)  # the standard library starts another fork server
            self._busy[ticket] = process
            self.note_call(slot, ticket)
            try:
                ended = process.do(run, context)
                self._await_same_order(process, ended, context)
            finally:
                del self._busy[ticket]
                if fresh or not process.is_usable:
                    process.end()
                else:
                    self._free.append(process)
        return ended

    def _do(self, slot: int, ticket: str, run: Run) -> None:
        if not shares_process(run):
            super()._do(slot * MOST_TOGETHER, ticket, run)
            return
        with self._joining:
            if self._join(ticket, run):
                return
            self._companies[slot] = company = Company(slot)
            number = company.join(ticket)
            assert number is not None  # noqa: S101 - it is the first one
        self._lead(company, number, ticket, run)

    def _lead(self, company: Company, number: int, ticket: str, run: Run) -> None:
        """Start a shared process, do a run in it, and end it when all runs of it have ended."""
        try:
            self._ensure_server()
            self._guard.start()
            company.process.set_result(SharedProcess(self._forks, self._guard, self._directory))
        except Exception as error:  # noqa: BLE001 - it is the end of all runs that have joined
            company.close()
            company.process.set_exception(error)
        self._fill_places()
        self._do_together(company, number, ticket, run)
        company.wait()
        del self._companies[company.slot]
        if company.process.exception() is None:
            company.process.result().end()

    def _fill_places(self) -> None:
        """Let suspects that wait for a slot join others."""
        for ticket, run in list(self._waiting.items()):
            if shares_process(run):
                with self._joining:
                    if not self.places:
                        return
                    if self._waiting.pop(ticket, None) is not None and not self._join(ticket, run):
                        self._waiting[ticket] = run  # the process has just been closed
                        self._wakes.put(None)

    def _join(self, ticket: str, run: Run) -> bool:
        """Let a suspect join others. Return False if there is no place."""
        for company in list(self._companies.values()):
            number = company.join(ticket)
            if number is not None:
                together = partial(self._do_together, company, number, ticket, run)
                threading.Thread(target=together, name=f"{self._name} suspect", daemon=True).start()
                return True
        return False

    def _do_together(self, company: Company, number: int, ticket: str, run: Run) -> None:
        self._members[ticket] = company, number
        try:
            super()._do(company.slot * MOST_TOGETHER + number, ticket, run)
        finally:
            del self._members[ticket]
            company.leave(ticket)

    def _work_together(self, slot: int, ticket: str, run: Run, context: Context) -> Ended:
        company, number = self._members[ticket]
        process = company.process.result()
        self.note_call(slot, ticket)
        ended = process.do(number, run, context)
        self._await_same_order(process, ended, context)
        if is_tainted(ended):
            company.close()
        return ended

    def _await_same_order(self, process: PoolProcess | SharedProcess, ended: Ended | None, context: Context) -> None:
        """Wait a moment if a process was told to end: a service manager may tell this worker too, a little later.

        Then the pump puts the run back. Otherwise the task has lost its process.
        """
        is_lost = isinstance(ended, Failed) and ended.code is Code.WORKER_LOST
        if is_lost and process.was_told_to_end and not context.canceled.is_set():
            self._inbox.await_order(SAME_ORDER)

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
