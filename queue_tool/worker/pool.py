"""The pool: warm processes that do the runs of the isolated lane. Each slot has a thread, which uses one process.

While functions are short, a process gets several runs at once: to wake a process and a thread for each would take
longer than such a function. What waits behind a function that takes long is taken back, and another process gets it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from typing import Protocol

from queue_tool.host.begun import NOWHERE
from queue_tool.host.clock import CLOCK
from queue_tool.host.working_directory import WorkingDirectory
from queue_tool.model.context import Context
from queue_tool.model.outcome import NOT_BEGUN, Ended, Failed, not_started
from queue_tool.model.run import Run
from queue_tool.model.states import TOGETHER_FROM, Code
from queue_tool.worker.executor import CANCELED
from queue_tool.worker.fork_server import ForkServer
from queue_tool.worker.handed import Finished, Handed, Limits
from queue_tool.worker.inbox import Inbox
from queue_tool.worker.means import Means
from queue_tool.worker.pool_process import PoolProcess
from queue_tool.worker.thread_executor import ThreadExecutor

MOST_HANDED = 64
"""The most runs that one process has at the same time."""

HANDED_FOR = 0.03
"""Seconds of work that one process has at the same time, if it has several runs."""

SHORT = 0.02
"""Seconds. Types whose functions take longer on average get a process for each run."""

SAME_ORDER = 0.5
"""Seconds between the signals that a service manager sends to all processes at once."""

LONG = 0.05
"""Seconds after which the runs that wait behind a function are taken back."""


class Endable(Protocol):
    """A process of this lane."""

    @property
    def was_told_to_end(self) -> bool:
        """Return whether a signal that tells a process to end has ended it."""


class PoolExecutor(ThreadExecutor):
    """Calls functions in the processes of a pool."""

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
            slots: how many functions may run at the same time.
            name: the prefix of the thread names.
            inbox: receives the ends of the runs.
            directory: the directory in which the tasks start.
            limits: how long a process is used.
            start_server: start the fork server now, not at the first run.
        """
        super().__init__(slots, name, inbox)
        self.most_begun = slots * MOST_HANDED
        self._directory = directory
        self._limits = limits or Limits()
        self._server = ForkServer(directory, self._limits.patience)
        self._free: deque[PoolProcess] = deque()  # the last one is taken first, so that few are used when few suffice
        self._busy: dict[str, PoolProcess] = {}  # by ticket
        self._busy_slots: set[int] = set()
        self._means = Means()
        self._entries = [
            list(range(slot * MOST_HANDED, (slot + 1) * MOST_HANDED)) for slot in range(slots)
        ]  # free ones
        if start_server:
            self._server.start_early(inbox.ready)

    @property
    def is_ready(self) -> bool:
        """Return whether a process can start at once."""
        return self._server.is_ready

    def stop(self, ticket: str) -> None:
        """End the process that does a run, or prevent the start of the run."""
        super().stop(ticket)
        process = self._busy.get(ticket)
        if process is not None:
            process.stop(ticket)
            self._put_first(process.take_back(ring=True))

    def waits(self, ticket: str) -> bool:
        """Return whether a run waits for a process, or in one behind another run."""
        return super().waits(ticket) or (ticket in self._busy and ticket not in self._called_at)

    def withdraw(self, ticket: str) -> bool:
        """Take a run back that has not begun. It never begins and never reports. False if it has begun."""
        if super().withdraw(ticket):
            return True
        process = self._busy.get(ticket)
        if process is None:
            return False
        self._put_first(process.take_back(ring=True))
        return super().withdraw(ticket)

    def await_same_order(self, process: Endable, ended: Ended, context: Context) -> None:
        """Wait a moment if a process was told to end: a service manager may tell this worker too, a little later.

        Then the pump puts the run back. Otherwise the task has lost its process.
        """
        is_lost = isinstance(ended, Failed) and ended.code is Code.WORKER_LOST
        if is_lost and process.was_told_to_end and not context.canceled.is_set():
            self._inbox.await_order(SAME_ORDER)

    def do_in_pool(self, slot: int, ticket: str, run: Run) -> None:
        """Let a process do a run, and short ones that follow. A process that cannot do another one ends.

        The run begins when there is a process. To start the first one may take seconds, in which this worker may die.
        """
        fresh, process, last = _needs_fresh(run), None, []
        self._busy_slots.add(slot)
        try:
            process = self._process_or_order(fresh=fresh)
            if process is None:
                self._report(ticket, NOT_BEGUN)
                return
            self._hand(slot, process, [(ticket, run)])
            while process.count:
                last += self._hear(slot, process, fresh=fresh)
        except BaseException as error:
            if process is None:
                self._report(ticket, not_started(error))
            else:
                last += [Finished(handed, not_started(error)) for handed in process.abandon()]
                self._put_first(process.take_back())
            if not isinstance(error, Exception):
                raise
        finally:
            if process is not None and (fresh or not process.room):
                process.end()
            elif process is not None:
                self._free.append(process)
            for finished in last:
                self._finish(finished)
            self._busy_slots.discard(slot)

    def _hear(self, slot: int, process: PoolProcess, *, fresh: bool) -> list[Finished]:
        """Hear a process once. Return the ended runs that must not be reported before the process has ended."""
        if not fresh:
            self._hand(slot, process, self._following(process))
        finished = process.hear()
        for each in finished:
            self.await_same_order(process, each.ended, each.handed.context)
        found = process.current()
        is_long = False
        if found is not None and found[1] is not None:
            self._called_at.setdefault(found[0].run.ticket, found[1])
            is_long = CLOCK.monotonic() - found[1] > LONG
        if process.is_broken or (is_long and process.count > 1):
            self._put_first(process.take_back())
        if fresh or process.is_broken or not (process.room or process.count):
            return finished
        for each in finished:
            self._finish(each)
        return []

    def _hand(self, slot: int, process: PoolProcess, runs: Iterable[tuple[str, Run]]) -> None:
        handed = []
        for ticket, run in runs:
            self._busy[ticket] = process
            handed.append(Handed(run, self._runs[ticket].context(self._inbox.noted), self._entries[slot].pop()))
        if not handed:
            return
        if not process.count:
            self._called_at[handed[0].run.ticket] = CLOCK.monotonic()
        for canceled in process.hand(handed):
            self._finish(Finished(canceled, CANCELED))

    def _following(self, process: PoolProcess) -> list[tuple[str, Run]]:
        """Return the waiting runs that a process should get now, behind those that it has."""
        found = process.current()
        if found is None or self.begun is NOWHERE or not process.has_begun_any:
            return []
        head, called_at = found
        seconds = self._means.of(head.run.task.task_type) * process.count
        if called_at is not None and CLOCK.monotonic() - called_at > LONG:
            return []
        following: list[tuple[str, Run]] = []
        most = min(MOST_HANDED - process.count, process.room)
        while len(following) < most and seconds < HANDED_FOR and (first := self._first_to_spare()) is not None:
            ticket, run = first
            mean = self._means.of(run.task.task_type)
            if mean > SHORT or _needs_fresh(run):
                break
            if self._waiting.pop(ticket, None) is not None:
                following.append(first)
                seconds += mean
        return following

    def _first_to_spare(self) -> tuple[str, Run] | None:
        """Return the first waiting run that no free slot takes. So runs begin in order, as far as slots are free."""
        free = self.slots - len(self._busy_slots)
        if len(self._waiting) <= free:
            return None
        try:
            return next(islice(self._waiting.items(), free, None), None)
        except RuntimeError:  # another thread has taken one meanwhile
            return None

    def _put_first(self, back: list[Handed]) -> None:
        """Let runs that have not begun wait again, before all others."""
        for handed in reversed(back):
            ticket = handed.run.ticket
            self._forget(handed)
            self._called_at.pop(ticket, None)
            if handed.context.canceled.is_set():
                self._report(ticket, CANCELED)
                continue
            self._waiting[ticket] = handed.run
            with suppress(KeyError):  # another thread has taken it
                self._waiting.move_to_end(ticket, last=False)
            self._wake()

    def _finish(self, finished: Finished) -> None:
        """Report the end of a run."""
        handed, ended, times = finished
        self.begun.clear(handed.entry)
        self._forget(handed)
        if times is None:
            self._report(handed.run.ticket, ended)
            return
        called_at, returned_at = times
        self._means.ended(handed.run.task.task_type, returned_at - called_at)
        self._called_at[handed.run.ticket] = called_at
        self._report(handed.run.ticket, ended, returned_at)

    def _forget(self, handed: Handed) -> None:
        self._busy.pop(handed.run.ticket, None)
        self._entries[handed.entry // MOST_HANDED].append(handed.entry)

    def _process_or_order(self, *, fresh: bool) -> PoolProcess | None:
        """Return a process that has nothing to do, or None if the worker was told to end."""
        with suppress(EOFError, ConnectionError):  # the fork server was told to end, perhaps together with this worker
            return self._process(fresh=fresh)
        self._inbox.await_order(SAME_ORDER)
        if self._inbox.was_told_to_finish:
            return None
        return self._process(fresh=fresh)  # the standard library starts another fork server

    def _process(self, *, fresh: bool) -> PoolProcess:
        """Return a process that has nothing to do. It may have died."""
        if not fresh:
            with suppress(IndexError):  # there is none
                return self._free.pop()
        self._server.start()
        return PoolProcess(self._server, self._directory, self._limits, self.begun)


def _needs_fresh(run: Run) -> bool:
    assert run.task_type is not None  # a run without a type ends before it is started
    return run.task_type.fresh or run.task.losses >= TOGETHER_FROM
