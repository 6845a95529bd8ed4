"""A warm process of the isolated lane, seen from the worker: it does one task after the other, in its own session."""

from __future__ import annotations

import logging
import math
import select
import signal
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from multiprocessing.process import BaseProcess
from typing import Any

from queue_tool.execution import process_group
from queue_tool.execution.current_task import CurrentTask
from queue_tool.execution.isolation import Hearing, Report
from queue_tool.execution.outlet import LONGEST_POLL
from queue_tool.host.begun import Entries
from queue_tool.host.working_directory import WorkingDirectory
from queue_tool.model.outcome import Failed, timed_out
from queue_tool.model.states import Code
from queue_tool.worker import pool_child
from queue_tool.worker.bell import Bell
from queue_tool.worker.board import Board
from queue_tool.worker.child_output import ChildOutput
from queue_tool.worker.fork_server import ForkServer
from queue_tool.worker.handed import Finished, Handed, Limits
from queue_tool.worker.permits import RECEIVED, Permits

_log = logging.getLogger("queue_tool.worker")

READ_EVERY = 0.02
"""Seconds between two looks at the reports of a process that has several runs, unless it rings. Each report would wake
the worker otherwise, which takes as long as a short function."""


class PoolProcess:
    """One process. One thread at a time gives it runs and hears it; any thread may stop a run, or take runs back."""

    def __init__(self, server: ForkServer, directory: WorkingDirectory, limits: Limits, begun: Entries) -> None:
        """Start the process.

        Args:
            server: forks it. Its guard ends the process group if this process is killed.
            directory: the directory in which tasks start.
            limits: how long the process is used.
            begun: where it notes what it has begun.

        Raises:
            OSError: it cannot be started.
            EOFError: the server has ended.
        """
        self._server = server
        self._quiet = 0.0  # seconds for which it has had a run and has not begun it
        self._limits = limits
        self._lock = threading.Lock()
        self._handed: dict[int, Handed] = {}  # by number, in order
        self._left: list[Handed] = []  # taken back, but not returned yet
        self._tasks: dict[int, CurrentTask] = {}  # by number
        self._last_task: tuple[int, CurrentTask] | None = None  # ended, and no other one has begun
        self._last_number = self._done = 0
        self._returned_at = 0.0  # monotonic: when the last function returned
        self.is_broken = False
        self._is_closed = False
        self._board = Board()
        self._output = ChildOutput(server.forks, self._board, self._current_task)
        try:
            self._start(server.forks, directory, begun)
        except BaseException:
            self._board.close()
            raise

    def _start(self, forks: Any, directory: WorkingDirectory, begun: Entries) -> None:
        permits, requests, reports = (forks.Pipe(duplex=False) for _ in range(3))
        self._bell = Bell(forks)
        ends = pool_child.Ends(permits[0], requests[0], reports[1], self._bell.ringing, *self._output.senders)
        self._permits = Permits(*permits)
        directory.leave_removed()  # the standard library reads the working directory
        self._child: BaseProcess = forks.Process(
            target=pool_child.serve,
            args=(directory.path, ends, self._limits.memory, self._board, begun),
            name="isolated",
            daemon=True,
        )
        try:
            self._born = self._server.start_process(self._child)
        finally:
            for theirs in (ends.requests, ends.reports, ends.stdout, ends.stderr):  # the others are for both
                theirs.close()
        assert self._child.pid is not None  # it was started
        self._pid = self._child.pid
        self._hearing = Hearing(self._child, reports[0], requests[1])
        self._for_reports, self._for_bell = select.poll(), select.poll()
        self._for_reports.register(self._hearing.receiving, select.POLLIN)
        for poll in (self._for_reports, self._for_bell):
            poll.register(self._hearing.dead, select.POLLIN)
            poll.register(self._bell.descriptor, select.POLLIN)
        self._output.start(self._pid)

    @property
    def room(self) -> int:
        """Return how many more runs the process may get. It may have died since its last one."""
        return 0 if self.is_broken else self._limits.tasks - self._done

    @property
    def was_told_to_end(self) -> bool:
        """Return whether a signal that tells a process to end has ended it."""
        return self._child.exitcode in process_group.ORDERS

    @property
    def count(self) -> int:
        """Return how many runs the process has."""
        return len(self._handed)

    @property
    def has_begun_any(self) -> bool:
        """Return whether it has begun a run, so that it reads what it gets."""
        return self._board.last_call()[0] > 0

    def current(self) -> tuple[Handed, float | None] | None:
        """Return the run that has begun, or begins next, and when it was called (monotonic; None: not yet)."""
        with self._lock:
            head = next(iter(self._handed.values()), None)
        if head is None:
            return None
        number, called_at = self._board.last_call()
        return head, called_at if number == head.number else None

    def hand(self, runs: Sequence[Handed]) -> list[Handed]:
        """Give runs to the process, which does them in this order. Return those that are canceled already."""
        was_idle = not self._handed
        if was_idle:
            self._quiet = 0.0
        with self._lock:
            accepted = [handed for handed in runs if not handed.context.canceled.is_set()]
            for handed in accepted:
                self._last_number += 1
                handed.number = self._last_number
                self._handed[handed.number] = handed
                self._tasks[handed.number] = CurrentTask(handed.run.task.token, handed.run.task.task_type)
            self._done += len(accepted)
            self._permits.give(handed.number for handed in accepted)
        lines = b"".join(pool_child.request_of(handed.run, handed.number, handed.entry) for handed in accepted)
        longest = self._server.patience.seconds if was_idle else math.inf  # then the next `hear` finds it quiet
        with suppress(BrokenPipeError):  # the next `hear` finds out that it is dead
            self._hearing.outlet.write(lines, min(self._deadline(), time.monotonic() + longest))
        return [handed for handed in runs if not handed.number]

    def take_back(self, *, ring: bool = False) -> list[Handed]:
        """Return the runs that have not begun. They never begin here. `ring` wakes the thread that hears it."""
        with self._lock:
            self._take_back()
            left, self._left = self._left, []
            if ring and not self._is_closed:
                self._bell.ring()
        return left

    def hear(self) -> list[Finished]:
        """Wait until the process reports something, for a moment if it has several runs. Return the ended runs.

        If the process dies or reaches a deadline, the run that it does ends, too, and `take_back` returns the others.
        """
        until, found = self._deadline(), self.current()
        is_quiet = found is not None and self._begins_next(found[0])
        is_dead = self._wait(until, is_quiet=is_quiet)
        if finished := self._read():
            self._quiet = 0.0
            return finished
        if is_dead:
            return self._lost(until)
        if is_quiet:
            self._check_quiet()
        return self._overdue(found[0]) if found is not None and time.monotonic() >= until else []

    def stop(self, ticket: str) -> None:
        """End the process if it does this run. This does not wait; the thread that hears the process does."""
        with self._lock:
            self._take_back()
            if all(handed.run.ticket != ticket for handed in self._handed.values()):
                return
            self.is_broken = True
        threading.Thread(target=process_group.end, args=(self._pid,), name=f"end of {ticket}", daemon=True).start()

    def abandon(self) -> list[Handed]:
        """Return all runs that have begun and whose end is not known."""
        with self._lock:
            self._take_back()
            self.is_broken = True
            return self._pop(list(self._handed))

    def end(self) -> None:
        """End the process and its group, and wait until they have ended."""
        self._server.end_process(self._child, self._born, self._hearing.await_death)
        self._hearing.close()
        self._output.end()
        with self._lock:  # another thread may want to take runs back just now
            self._is_closed = True
            self._permits.close()
            self._bell.close()
        self._board.close()

    def _take_back(self) -> None:
        if self._is_closed:
            return
        back = self._pop(self._permits.take_back())
        self._done -= len(back)
        self._left += back

    def _pop(self, numbers: Iterable[int]) -> list[Handed]:
        found = [handed for number in numbers if (handed := self._handed.pop(number, None)) is not None]
        last = self._board.last_call()[0]
        for handed in found:
            if handed.number == last:  # another thread may look for it just now, so first the one, then the other
                self._last_task = handed.number, self._tasks[handed.number]
            del self._tasks[handed.number]
        return found

    def _current_task(self) -> CurrentTask | None:
        """Return the task whose run the process has begun last: what it and its children write belongs to it."""
        number = self._board.last_call()[0]
        if (task := self._tasks.get(number)) is not None:
            return task
        last = self._last_task  # only now: what is popped from `_tasks` is already here
        return last[1] if last is not None and last[0] == number else None

    def _begins_next(self, head: Handed) -> bool:
        """Return whether the process has begun neither this run nor a later one."""
        return self._board.last_call()[0] < head.number

    def _deadline(self) -> float:
        """Return when the run that has begun, or begins next, reaches its deadline (monotonic)."""
        found = self.current()
        if found is None or found[0].run.timeout is None:
            return math.inf
        head, called_at = found
        return (called_at or max(head.handed_at, self._returned_at)) + found[0].run.timeout

    def _wait(self, until: float, *, is_quiet: bool) -> bool:
        """Wait for a report, the end of the process or the deadline; if it is quiet, a moment. Return if it is dead."""
        now, longest = time.monotonic(), self._server.patience.every if is_quiet else LONGEST_POLL
        seconds, poll = min(longest, max(0.0, until - now)), self._for_reports
        if len(self._handed) > 1 and not self._hearing.arriving.is_incomplete:
            seconds, poll = min(seconds, READ_EVERY), self._for_bell
        ready = poll.poll(math.ceil(seconds * 1000))
        self._quiet = self._quiet + min(longest, time.monotonic() - now) if is_quiet and not ready else 0.0
        found = [descriptor for descriptor, _ in ready]
        if self._bell.descriptor in found:
            self._bell.be_quiet()
        return self._hearing.dead in found

    def _check_quiet(self) -> None:
        """Kill the process if it is quiet for too long. What it has not begun is taken back; the rest is lost."""
        patience, found = self._server.patience, self.current()
        if found is None or not self._begins_next(found[0]):
            patience.was_rewarded()
        elif self._quiet > patience.seconds:
            patience.was_in_vain()
            _log.warning(
                "process %d of the isolated lane begins nothing: it is killed, and another one starts", self._pid
            )
            with self._lock:
                self.is_broken = True
            process_group.send(self._pid, signal.SIGKILL)
            self._quiet = 0.0

    def _read(self) -> list[Finished]:
        """Read what the process has written. Return the runs that have ended."""
        finished: list[Finished] = []
        while (texts := self._hearing.arriving.read()) is not None:
            for text in texts:
                found = self.current()
                report = self._hearing.read_message(text, found[0].context) if found is not None else None
                if found is not None and report is not None:
                    finished.append(self._ended(found[0], report))
        if self._hearing.arriving.has_ended:  # but the child may live: it has closed its end
            with suppress(KeyError):
                self._for_reports.unregister(self._hearing.receiving)
        return finished

    def _ended(self, handed: Handed, report: Report) -> Finished:
        if report.has_written and report.again:  # otherwise `end` ends the output, when the whole group has ended
            self._output.end()
            self._hearing.outlet.reply(RECEIVED)
        self._server.patience.was_rewarded()
        if report.times is not None:
            self._returned_at = report.times[1]
        with self._lock:
            self.is_broken = self.is_broken or not report.again
            self._pop([handed.number])
        return Finished(handed, report.ended, report.times)

    def _lost(self, until: float) -> list[Finished]:
        """Return what became of the run that the process did when it died. The others have not begun."""
        found = self.current()
        with self._server.answering():
            has_ended = process_group.has_ended(self._child, until)
        if not has_ended:
            return self._overdue(found[0]) if found is not None else []
        sentence = f"The task's own process ended with code {self._child.exitcode}."
        lost = self.abandon()
        with self._lock:
            if not self._board.last_call()[0]:  # a new process that dies at once would do so again and again
                lost += self._left[:1]
                del self._left[:1]
        return [Finished(handed, Failed(code=Code.WORKER_LOST, error=sentence)) for handed in lost]

    def _overdue(self, head: Handed) -> list[Finished]:
        """Return the run that has reached its deadline, unless it has ended meanwhile."""
        with self._lock:
            self._take_back()
        if finished := self._read():
            return finished
        begun = self.abandon()
        with self._lock:
            overdue = [handed for handed in (*begun, *self._left) if handed is head]  # perhaps it has not even begun
            self._left = [handed for handed in self._left if handed is not head]
        return [Finished(handed, timed_out(handed.run.timeout)) for handed in overdue]
