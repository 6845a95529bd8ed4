"""The executor of the lane for coroutines: it runs them on the worker's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from queue_tool.execution.call import execute_on_loop
from queue_tool.execution.current_task import CurrentTask, current_task
from queue_tool.host.begun import NOWHERE
from queue_tool.host.clock import CLOCK
from queue_tool.model.context import Context
from queue_tool.model.outcome import Ended
from queue_tool.model.run import Run
from queue_tool.worker.executor import CANCELED, SharesNothing, ignore_returned
from queue_tool.worker.inbox import Inbox


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
