"""The executors of a worker: each calls the functions of one lane and reports to the inbox how they ended.

A run begins when a slot is free. The caller counts the slots. It may start more runs than there are slots in the lanes
that have threads or processes; the rest waits there, in order.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from queue_tool.execution.awaiting import LoopWaiter
from queue_tool.execution.call import execute_here, execute_on_loop
from queue_tool.execution.current_task import CurrentTask, current_task
from queue_tool.host.begun import NOWHERE
from queue_tool.host.clock import CLOCK
from queue_tool.model.context import Context
from queue_tool.model.outcome import Ended, Failed, not_started
from queue_tool.model.run import Run
from queue_tool.model.states import Code
from queue_tool.worker.executor import SharesNothing
from queue_tool.worker.inbox import Inbox

_log = logging.getLogger("queue_tool.worker")

CANCELED = Failed(code=Code.ERROR, error="It was canceled while it ran.")
"""The end of an abandoned run. It is not stored."""


def ignore_returned(run: Run) -> None:
    """Do nothing when the function of a run has returned."""


class _OnLoop(CurrentTask):
    """A run on the event loop. Ten thousand of them, with all that belongs to them, must fit into a small process."""

    __slots__ = ("called_at", "context", "run", "slot", "task")

    def __init__(self, run: Run) -> None:
        """Prepare the run."""
        super().__init__(run.task.token, run.task.task_type)
        self.run = run
        self.task: asyncio.Task[Ended] | None = None
        self.context: Context | None = None  # None: the function takes none, or has not been called yet
        self.called_at: float | None = None  # monotonic
        self.slot: int | None = None  # where it is noted as begun


def _on_loop_now() -> _OnLoop:
    """Return the run to which the current context of variables belongs."""
    found = current_task()
    assert isinstance(found, _OnLoop)  # the executor has made the context
    return found


class LoopExecutor(SharesNothing):
    """Runs coroutines on the worker's event loop."""

    def __init__(
        self,
        slots: int,
        loop: asyncio.AbstractEventLoop,
        inbox: Inbox,
        after: Callable[[Run], None] = ignore_returned,
    ) -> None:
        """Prepare to run at most `slots` coroutines at the same time on this loop.

        Args:
            slots: how many runs may be active at the same time.
            loop: the event loop.
            inbox: receives the ends of the runs.
            after: called when the function of a run has returned.
        """
        self.slots = self.most_begun = slots
        self.begun = NOWHERE
        self._free: list[int] = []  # slots that were used before
        self._used = 0  # slots that were ever used
        self._after = after
        self._loop = loop
        self._inbox = inbox
        self._running: dict[str, _OnLoop] = {}
        # One object for all runs: Python would make a new one at each access.
        self._begin, self._leave, self._end = self._note_call, self._note_return, self._report

    def start(self, runs: Iterable[Run]) -> None:
        """Pass all runs to the loop in one call."""
        self._loop.call_soon_threadsafe(self._start, list(runs))

    def stop(self, ticket: str) -> None:
        """Cancel the coroutine at the point where it waits."""
        self._loop.call_soon_threadsafe(self._stop, ticket)

    def called_at(self, ticket: str) -> float | None:
        """Return when the function of a run was called (monotonic); None if it has not been called yet."""
        found = self._running.get(ticket)
        return found.called_at if found is not None else None

    def waits(self, _ticket: str) -> bool:
        """Return False: on the loop no run waits for a slot."""
        return False

    def withdraw(self, _ticket: str) -> bool:
        """Return False: on the loop no run waits for a slot."""
        return False

    def busy_since(self, moment: float) -> int:
        """Return how many coroutines were called before this moment (monotonic)."""
        return sum(1 for run in list(self._running.values()) if run.called_at is not None and run.called_at < moment)

    def _start(self, runs: list[Run]) -> None:
        for run in runs:
            self._running[run.ticket] = on_loop = _OnLoop(run)
            variables = on_loop.own_context()
            assert run.task_type is not None  # a run without a type ends before it is started
            called = execute_on_loop(run.task_type, run.data, self._begin, self._leave)
            on_loop.task = self._loop.create_task(called, name=run.ticket, context=variables)
            on_loop.task.add_done_callback(self._end, context=variables)

    def _note_call(self) -> Context | None:
        on_loop = _on_loop_now()
        run = on_loop.run
        on_loop.slot = slot = self._take_slot()
        self.begun.note(slot, run.ticket)
        on_loop.called_at = CLOCK.monotonic()
        if run.task_type is not None and run.task_type.takes_context:
            on_loop.context = run.context(self._inbox.noted, CLOCK.now())
        return on_loop.context

    def _take_slot(self) -> int:
        if self._free:
            return self._free.pop()
        self._used += 1
        return self._used - 1

    def _note_return(self) -> None:
        self._after(_on_loop_now().run)

    def _report(self, task: asyncio.Task[Ended]) -> None:
        """Report the end of a run. If it was canceled before its first step, its function was never called."""
        on_loop = _on_loop_now()
        on_loop.flush()
        if on_loop.context is not None:
            on_loop.context.canceled.set()
        ticket = on_loop.run.ticket
        del self._running[ticket]
        on_loop.task = None  # else run, task and context refer to each other and stay until the collector runs
        if on_loop.slot is not None:
            self.begun.clear(on_loop.slot)
            self._free.append(on_loop.slot)
        never_returned = task.cancelled() or task.exception() is not None
        self._inbox.returned(ticket, CANCELED if never_returned else task.result(), on_loop.called_at)

    def _stop(self, ticket: str) -> None:
        found = self._running.get(ticket)
        if found is None or found.task is None:
            return
        if found.context is not None:
            found.context.canceled.set()
        found.task.cancel()


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
        self._wakes: queue.SimpleQueue[None] = queue.SimpleQueue()  # one for each waiting run, or more
        self._contexts: dict[str, Context] = {}
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
            self._contexts[ticket] = run.context(self._inbox.noted)
            self._waiting[ticket] = run
            self._wakes.put(None)

    def stop(self, ticket: str) -> None:
        """Set the context's `canceled` event, and cancel what the function returned, where it waits.

        The function may ignore both. A run that has not begun never begins, and reports at once.
        """
        context = self._contexts.get(ticket)
        if context is not None:
            if self._waiting.pop(ticket, None) is not None:
                self._report(ticket, CANCELED)
                return
            context.canceled.set()
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
        self._contexts.pop(ticket, None)
        return True

    def busy_since(self, moment: float) -> int:
        """Return how many threads have been busy with one function since before this moment (monotonic)."""
        return sum(1 for called_at in list(self._called_at.values()) if called_at < moment)

    def work(self, slot: int, ticket: str, run: Run, context: Context) -> Ended:
        """Do the work of one run in the current thread. What its function returns is awaited on the loop."""
        self.note_call(slot, ticket)
        assert run.task_type is not None  # a run without a type ends before it is started
        waiter, wait_for = self._waiter, None
        if waiter is not None:
            wait_for = partial(waiter.wait, ticket, canceled=context.canceled)
        try:
            called = replace(context, deadline=run.deadline(CLOCK.now()))
            return execute_here(run.task_type, run.data, called, wait_for=wait_for)
        finally:
            self._after(run)

    def note_call(self, slot: int, ticket: str) -> None:
        """Note that the function of a run is called now."""
        self.begun.note(slot, ticket)
        self._called_at[ticket] = CLOCK.monotonic()

    def _serve(self, slot: int) -> None:
        """Do one run after the other, in a slot. A library may raise an exception in this thread at any moment.

        It does so with `PyThreadState_SetAsyncExc`, for example to end a function, and may come too late. Then another
        thread takes the place of this one.
        """
        held: tuple[str, Run] | None = None
        try:
            while True:
                self._wakes.get()  # an exception that waits for this thread is raised after this, when it holds nothing
                held = self._take()
                if held is not None:
                    self._do(slot, *held)
        except BaseException as error:  # noqa: BLE001 - see above
            _log.warning("a thread of this worker was ended from outside, and is replaced: %.200r", error)
            if held is not None and held[0] in self._contexts:
                self._report(held[0], not_started(error))
            self._start_thread(slot)
            self._wakes.put(None)  # this thread may have taken a wake-up and no run

    def _take(self) -> tuple[str, Run] | None:
        try:
            return self._waiting.popitem(last=False)
        except KeyError:  # there was a wake-up too many, or the run was stopped
            return None

    def _do(self, slot: int, ticket: str, run: Run) -> None:
        context = self._contexts[ticket]
        try:
            ended = CANCELED if context.canceled.is_set() else self.work(slot, ticket, run, context)
        except Exception as error:  # noqa: BLE001 - for example, a process cannot be started
            ended = not_started(error)
        self.begun.clear(slot)
        self._report(ticket, ended)

    def _report(self, ticket: str, ended: Ended, returned_at: float | None = None) -> None:
        """Report the end of a run. The pump ignores a second report. `returned_at` is monotonic; None: now."""
        self._inbox.returned(ticket, ended, self._called_at.get(ticket), returned_at)
        self._contexts.pop(ticket, None)
        self._called_at.pop(ticket, None)

    def _start_thread(self, slot: int) -> None:
        threading.Thread(target=self._serve, args=(slot,), name=f"{self._name} {slot + 1}", daemon=True).start()
