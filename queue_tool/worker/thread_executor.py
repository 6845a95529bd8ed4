"""The executor of the lane for plain functions: it calls them in threads.

A run begins when a thread is free. The caller counts the threads. It may start more runs than there are threads; the
rest waits here, in order.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from queue_tool.execution.awaiting import LoopWaiter
from queue_tool.execution.call import execute_as
from queue_tool.execution.current_task import CurrentTask
from queue_tool.host.begun import NOWHERE
from queue_tool.host.clock import CLOCK
from queue_tool.model.context import Context
from queue_tool.model.outcome import Ended, not_started
from queue_tool.model.run import Run
from queue_tool.worker.executor import CANCELED, SharesNothing, ignore_returned
from queue_tool.worker.inbox import Inbox

_log = logging.getLogger("queue_tool.worker")


class InThread(CurrentTask):
    """A run that waits for a thread, or has one. Most functions take no context, so it is made only where one does."""

    __slots__ = ("_context", "run", "was_canceled")

    def __init__(self, run: Run) -> None:
        """Prepare the run."""
        super().__init__(run.task.token, run.task.task_type)
        self.run = run
        self.was_canceled = False
        self._context: Context | None = None

    def context(self, on_news: Callable[[Context], None]) -> Context:
        """Return the context for the run's function, which is called now."""
        if self._context is None:
            self._context = self.run.context(on_news, CLOCK.now())
            if self.was_canceled:  # another thread may cancel it just now, so first the one, then the other
                self._context.canceled.set()
        return self._context

    def cancel(self) -> None:
        """Cancel the run. Any thread may do this."""
        self.was_canceled = True
        if self._context is not None:
            self._context.canceled.set()


class ThreadExecutor(SharesNothing):
    """Calls functions in threads. Each thread calls `work` for a run."""

    def __init__(
        self,
        slots: int,
        name: str,
        inbox: Inbox,
        loop: asyncio.AbstractEventLoop | None = None,
        after: Callable[[Run], None] = ignore_returned,
    ) -> None:
        """Prepare to run at most `slots` functions at the same time. The first `start` creates the threads.

        Args:
            slots: how many runs may be active at the same time.
            name: the prefix of the thread names.
            inbox: receives the ends of the runs.
            loop: awaits what the functions return; None: each thread awaits on a loop of its own.
            after: called when the function of a run has returned.
        """
        self.slots = self.most_begun = slots
        self.begun = NOWHERE
        self._after = after
        self._name = name
        self._inbox = inbox
        self._waiting: OrderedDict[str, Run] = OrderedDict()
        self._idle: set[int] = set()  # slots whose threads wait for a wake-up, or are about to
        self._wakes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._runs: dict[str, InThread] = {}  # all that have not been reported
        self._called_at: dict[str, float] = {}
        self._waiter = LoopWaiter(loop) if loop is not None else None
        self._has_threads = False

    def start(self, runs: Iterable[Run]) -> None:
        """Pass the runs to the threads."""
        if not self._has_threads:
            self._has_threads = True
            for number in range(self.slots):
                self._start_thread(number)
        for run in runs:
            ticket = run.ticket
            self._runs[ticket] = InThread(run)
            self._waiting[ticket] = run
        self._wake()

    def stop(self, ticket: str) -> None:
        """Set the context's `canceled` event, and cancel what the function returned, where it waits.

        The function may ignore both. A run that has not begun never begins, and reports at once.
        """
        found = self._runs.get(ticket)
        if found is not None:
            if self._waiting.pop(ticket, None) is not None:
                self._report(ticket, CANCELED)
                return
            found.cancel()
            if self._waiter is not None:
                self._waiter.cancel(ticket)

    def called_at(self, ticket: str) -> float | None:
        """Return when the function of a run was called (monotonic); None if it has not been called yet."""
        return self._called_at.get(ticket)

    def waits(self, ticket: str) -> bool:
        """Return whether a run waits for a thread."""
        return ticket in self._waiting

    def withdraw(self, ticket: str) -> bool:
        """Take a run back that waits for a thread. It never begins and never reports. False if it does not wait."""
        if self._waiting.pop(ticket, None) is None:
            return False
        self._runs.pop(ticket, None)
        return True

    def busy_since(self, moment: float) -> int:
        """Return how many threads have been busy with one function since before this moment (monotonic)."""
        return sum(1 for called_at in list(self._called_at.values()) if called_at < moment)

    def work(self, slot: int, ticket: str, run: Run, found: InThread) -> Ended:
        """Do the work of one run in the current thread. What its function returns is awaited on the loop."""
        self.note_call(slot, ticket)
        assert run.task_type is not None  # a run without a type ends before it is started
        context = found.context(self._inbox.noted) if run.task_type.takes_context else None
        wait_for = None if self._waiter is None else partial(self._wait_for, self._waiter, ticket, found)
        try:
            return execute_as(found, run.task_type, run.data, context, wait_for=wait_for)
        finally:
            self._after(run)

    def note_call(self, slot: int, ticket: str) -> None:
        """Note that the function of a run is called now."""
        self.begun.note(slot, ticket)
        self._called_at[ticket] = CLOCK.monotonic()

    def _wait_for(self, waiter: LoopWaiter, ticket: str, found: InThread, value: Any) -> Any:
        return waiter.wait(ticket, value, lambda: found.was_canceled)

    def _wake(self) -> None:
        """Wake a thread if a run waits for one. It wakes the next one, so no more wake than there is work for.

        A thread says that it is idle before it looks for a run once more, and the run waits before this looks for an
        idle thread. So one of both finds the other.
        """
        if self._idle and self._waiting:
            self._wakes.put(None)

    def _serve(self, slot: int) -> None:
        """Do one run after the other, in a slot. A library may raise an exception in this thread at any moment.

        It does so with `PyThreadState_SetAsyncExc`, for example to end a function, and may come too late. Then another
        thread takes the place of this one.
        """
        held: tuple[str, Run] | None = None
        try:
            while True:
                if not self._waiting:
                    self._rest(slot)  # an exception that waits for this thread is raised here, when it holds nothing
                held = self._take()
                if held is not None:
                    self._wake()
                    self._do(slot, *held)
                    held = None  # a run of the pool may wait again
        except BaseException as error:  # noqa: BLE001 - see above
            _log.warning("a thread of this worker was ended from outside, and is replaced: %.200r", error)
            if held is not None and held[0] in self._runs:
                self._report(held[0], not_started(error))
            self._idle.discard(slot)
            self._wake()
            self._start_thread(slot)

    def _rest(self, slot: int) -> None:
        """Wait for a wake-up. There may be one too many, for a run that another thread has taken meanwhile."""
        self._idle.add(slot)
        if not self._waiting:
            self._wakes.get()
        self._idle.discard(slot)

    def _take(self) -> tuple[str, Run] | None:
        try:
            return self._waiting.popitem(last=False)
        except KeyError:  # there was a wake-up too many, or the run was stopped
            return None

    def _do(self, slot: int, ticket: str, run: Run) -> None:
        found = self._runs[ticket]
        try:
            ended = CANCELED if found.was_canceled else self.work(slot, ticket, run, found)
        except Exception as error:  # noqa: BLE001 - for example, a process cannot be started
            ended = not_started(error)
        self.begun.clear(slot)
        self._report(ticket, ended)

    def _report(self, ticket: str, ended: Ended, returned_at: float | None = None) -> None:
        """Report the end of a run. The pump ignores a second report. `returned_at` is monotonic; None: now."""
        self._inbox.returned(ticket, ended, self._called_at.get(ticket), returned_at)
        self._runs.pop(ticket, None)
        self._called_at.pop(ticket, None)

    def _start_thread(self, slot: int) -> None:
        threading.Thread(target=self._serve, args=(slot,), name=f"{self._name} {slot + 1}", daemon=True).start()
