"""The lanes of a worker: where functions run. Each says when one has come back, and how; none waits for it.

What a lane is given to start is started at once: whoever starts counts its slots.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterable
from typing import Protocol

from queue_tool.execution.call import execute_here, execute_on_loop
from queue_tool.model.context import Context
from queue_tool.model.outcome import Ended, Failed, not_started
from queue_tool.model.states import Code
from queue_tool.model.ticket import ticket_id
from queue_tool.services.run import Started, context_of

CameBack = Callable[[str, Ended], None]
"""Is told a ticket's id and how its function ended."""

CANCELED = Failed(code=Code.ERROR, error="It was canceled while it ran.")
"""How a run ends here that nobody waits for any more; nothing of it is kept."""


class Lane(Protocol):
    """What every lane can do."""

    slots: int  # functions at once

    def start(self, runs: Iterable[Started]) -> None:
        """Start these; each comes back, once, at its end or never."""

    def stop(self, ticket: str) -> None:
        """End one as far as that is possible; it comes back when its function is really over."""


class LoopLane:
    """Coroutines on the worker's event loop."""

    def __init__(
        self, slots: int, loop: asyncio.AbstractEventLoop, came_back: CameBack, on_news: Callable[[Context], None]
    ) -> None:
        """Run at most so many at once on this loop."""
        self.slots = slots
        self._loop = loop
        self._came_back = came_back
        self._on_news = on_news
        self._running: dict[str, tuple[asyncio.Task[None], Context | None]] = {}

    def start(self, runs: Iterable[Started]) -> None:
        """Hand them to the loop, all in one go."""
        self._loop.call_soon_threadsafe(self._start, list(runs))

    def stop(self, ticket: str) -> None:
        """Cancel the coroutine, where it waits."""
        self._loop.call_soon_threadsafe(self._stop, ticket)

    def _start(self, runs: list[Started]) -> None:
        for run in runs:
            ticket = ticket_id(run.task.token, run.task.run)
            context = context_of(run, self._on_news) if run.task_type and run.task_type.takes_context else None
            self._running[ticket] = self._loop.create_task(self._run(ticket, run, context)), context

    async def _run(self, ticket: str, run: Started, context: Context | None) -> None:
        ended: Ended = CANCELED
        try:
            assert run.task_type is not None  # noqa: S101 - or else it had ended at once
            ended = await execute_on_loop(run.task_type, run.data, context)
        finally:
            if context is not None:
                context.canceled.set()
            del self._running[ticket]
            self._came_back(ticket, ended)

    def _stop(self, ticket: str) -> None:
        found = self._running.get(ticket)
        if found is not None:
            task, context = found
            if context is not None:
                context.canceled.set()
            task.cancel()


class ThreadLane:
    """Functions in threads; `work` says what a thread does with one."""

    def __init__(self, slots: int, name: str, came_back: CameBack, on_news: Callable[[Context], None]) -> None:
        """Run at most so many at once; the threads are made at the first start."""
        self.slots = slots
        self._name = name
        self._came_back = came_back
        self._on_news = on_news
        self._waiting: queue.SimpleQueue[tuple[str, Started]] = queue.SimpleQueue()
        self._contexts: dict[str, Context] = {}
        self._is_open = False

    def start(self, runs: Iterable[Started]) -> None:
        """Hand them to the threads."""
        if not self._is_open:
            self._is_open = True
            for number in range(self.slots):
                threading.Thread(target=self._serve, name=f"{self._name} {number + 1}", daemon=True).start()
        for run in runs:
            ticket = ticket_id(run.task.token, run.task.run)
            self._contexts[ticket] = context_of(run, self._on_news)
            self._waiting.put((ticket, run))

    def stop(self, ticket: str) -> None:
        """Set the function's event; a function that does not look at it goes on, one that waits does not begin."""
        context = self._contexts.get(ticket)
        if context is not None:
            context.canceled.set()

    def work(self, ticket: str, run: Started, context: Context) -> Ended:  # noqa: ARG002 - others need it
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
            self._came_back(ticket, ended)
