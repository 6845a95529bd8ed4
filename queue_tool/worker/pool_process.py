"""A warm process of the isolated lane, seen from the worker: it does one task after the other, in its own session."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Any

from queue_tool.execution import process_group
from queue_tool.execution.current_task import CurrentTask
from queue_tool.execution.guard import Guard
from queue_tool.execution.isolation import Hearing, Report, deadline_after
from queue_tool.host.working_directory import WorkingDirectory
from queue_tool.model.context import Context
from queue_tool.model.outcome import Ended
from queue_tool.model.run import Run
from queue_tool.worker import pool_child
from queue_tool.worker.child_output import ChildOutput
from queue_tool.worker.executors import CANCELED


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a process is used."""

    tasks: int = 1000  # after so many another one takes its place
    memory: int = 512 * 2**20  # bytes; beyond this another one takes its place


class PoolProcess:
    """One process. One thread at a time gives it a task; any thread may stop that task."""

    def __init__(self, forks: Any, guard: Guard, directory: WorkingDirectory, limits: Limits) -> None:
        """Start the process.

        Args:
            forks: the context of `multiprocessing` with the fork server.
            guard: ends the process group if this process is killed.
            directory: the directory in which tasks start.
            limits: how long the process is used.

        Raises:
            OSError: it cannot be started.
        """
        self._guard = guard
        self._limits = limits
        self._lock = threading.Lock()
        self._ticket: str | None = None  # of the run that is in the process now
        self._done = 0
        self._is_usable = True
        self._output = ChildOutput(forks)
        self._start(forks, directory)

    def _start(self, forks: Any, directory: WorkingDirectory) -> None:
        (requests, requests_to), (receiving, reports) = forks.Pipe(duplex=False), forks.Pipe(duplex=False)
        directory.leave_removed()  # the standard library reads the working directory
        self._child: BaseProcess = forks.Process(
            target=pool_child.serve,
            args=(directory.path, requests, reports, self._output.senders, self._limits.memory),
            name="isolated",
            daemon=True,
        )
        try:
            self._child.start()
        finally:
            for theirs in (requests, reports, *self._output.senders):
                theirs.close()
        assert self._child.pid is not None  # noqa: S101 - it was started
        self._pid = self._child.pid
        self._guard.watch(self._pid)
        self._hearing = Hearing(self._child, receiving, requests_to)
        self._output.start(self._pid)

    @property
    def is_usable(self) -> bool:
        """Return whether the process may get another task. It may have died since its last one."""
        return self._is_usable and self._done < self._limits.tasks

    @property
    def was_told_to_end(self) -> bool:
        """Return whether a signal that tells a process to end has ended it."""
        return self._child.exitcode in process_group.ORDERS

    def do(self, run: Run, context: Context) -> Ended | None:
        """Let the process do the task of a run, and wait until it has ended. A canceled run does not begin.

        Return None if the process was dead before: then the run has not begun.

        Args:
            run: the run.
            context: receives the progress and the log lines.
        """
        with self._lock:
            self._ticket = run.ticket
        report: Report | None = Report(CANCELED, again=True)
        try:
            if not context.canceled.is_set():
                report = self._called(run, context)
        finally:
            with self._lock:
                self._ticket = None
                self._is_usable = self._is_usable and report is not None and report.again
        return report.ended if report is not None else None

    def stop(self, ticket: str) -> None:
        """End the process if it still does this run. This does not wait; the thread that waits for the run does."""
        with self._lock:
            if self._ticket != ticket:
                return
            self._is_usable = False
        threading.Thread(target=process_group.end, args=(self._pid,), name=f"end of {ticket}", daemon=True).start()

    def end(self) -> None:
        """End the process and its group, and wait until they have ended."""
        process_group.end_with(self._child)
        self._guard.leave(self._pid)
        self._hearing.close()
        self._output.end()

    def _called(self, run: Run, context: Context) -> Report | None:
        until = deadline_after(run.timeout)
        self._done += 1
        self._output.begin(CurrentTask(run.task.token, run.task.task_type))
        try:
            self._hearing.outlet.write(pool_child.written(pool_child.request_of(run)), until)
        except BrokenPipeError:
            if self._done > 1:  # a new process that dies at once would do so again and again
                return None
        report = self._hearing.outcome(context, until, run.timeout)
        if report.again:  # otherwise `end` ends the output, when the whole group has ended
            self._output.end()
        return report
