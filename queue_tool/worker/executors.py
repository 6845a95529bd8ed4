"""The executors of a worker: who calls the functions of a lane. Each tells the inbox how a function ended.

What an executor is given to start is started at once: whoever starts counts its slots.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Iterable
from typing import Protocol

from queue_tool.execution.call import execute_here, execute_on_loop
from queue_tool.model.context import Context
from queue_tool.model.outcome import Ended, Failed, not_started
from queue_tool.model.run import Run
from queue_tool.model.states import Code
from queue_tool.worker.inbox import Inbox

CANCELED = Failed(code=Code.ERROR, error="It was canceled while it ran.")
"""How a run ends here that nobody waits for any more; nothing of it is kept."""


class Executor(Protocol):
    """What every executor can do."""

    slots: int  # functions at once

    def start(self, runs: Iterable[Run]) -> None:
        """Start these; each returns, once, at its end or never."""

    def stop(self, ticket: str) -> None:
        """End one as far as that is possible; it returns when its function is really over."""


class LoopExecutor:
    """Awaits coroutines on the worker's event loop."""

    def __init__(self, slots: int, loop: asyncio.AbstractEventLoop, inbox: Inbox) -> None:
        """Run at most so many at once on this loop."""
        self.slots = slots
        self._loop = loop
        self._inbox = inbox
        self._running: dict[str, tuple[asyncio.Task[None], Context | None]] = {}

    def start(self, runs: Iterable[Run]) -> None:
        """Hand them to the loop, all in one go."""
        self._loop.call_soon_threadsafe(self._start, list(runs))

    def stop(self, ticket: str) -> None:
        """Cancel the coroutine, where it waits."""
        self._loop.call_soon_threadsafe(self._stop, ticket)

    def _start(self, runs: list[Run]) -> None:
        for run in runs:
            ticket = run.ticket
            context = run.context(self._inbox.noted) if run.task_type and run.task_type.takes_context else None
            self._running[ticket] = self._loop.create_task(self._run(ticket, run, context)), context

    async def _run(self, ticket: str, run: Run, context: Context | None) -> None:
        ended: Ended = CANCELED
        try:
            assert run.task_type is not None  # noqa: S101 - or else it had ended at once
            ended = await execute_on_loop(run.task_type, run.data, context)
        finally:
            if context is not None:
                context.canceled.set()
            del self._running[ticket]
            self._inbox.returned(ticket, ended)

    def _stop(self, ticket: str) -> None:
        found = self._running.get(ticket)
        if found is not None:
            task, context = found
            if context is not None:
                context.canceled.set()
            task.cancel()


class ThreadExecutor:
    """Calls functions in threads; `work` is what a thread does with a run."""

    def __init__(self, slots: int, name: str, inbox: Inbox) -> None:
        """Run at most so many at once; the threads are made at the first start."""
        self.slots = slots
        self._name = name
        self._inbox = inbox
        self._waiting: queue.SimpleQueue[tuple[str, Run]] = queue.SimpleQueue()
        self._contexts: dict[str, Context] = {}
        self._is_open = False

    def start(self, runs: Iterable[Run]) -> None:
        """Hand them to the threads."""
        if not self._is_open:
            self._is_open = True
            for number in range(self.slots):
                threading.Thread(target=self._serve, name=f"{self._name} {number + 1}", daemon=True).start()
        for run in runs:
            ticket = run.ticket
            self._contexts[ticket] = run.context(self._inbox.noted)
            self._waiting.put((ticket, run))

    def stop(self, ticket: str) -> None:
        """Set the function's event; a function that does not look at it goes on, one that waits does not begin."""
        context = self._contexts.get(ticket)
        if context is not None:
            context.canceled.set()

    def work(self, ticket: str, run: Run, context: Context) -> Ended:  # noqa: ARG002 - a subclass needs the ticket
        """Do the work of one run in the current thread."""
        assert run.task_type is not None  # noqa: S101 - or else it had ended at once
        return execute_here(run.task_type, run.data, context)

    def _serve(self) -> None:
        while True:
            ticket, run = self._waiting.get()
            context = self._contexts[ticket]
            try:
                ended = CANCELED if context.canceled.is_set() else self.work(ticket, run, context)
            except Exception as error:  # noqa: BLE001 - such as a process that cannot be started
                ended = not_started(error)
            del self._contexts[ticket]
            self._inbox.returned(ticket, ended)
