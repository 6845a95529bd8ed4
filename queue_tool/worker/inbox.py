"""The inbox of a worker: other threads report to the pump through it. Each report wakes the pump."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

from queue_tool.model.clock import Clock
from queue_tool.model.context import Context
from queue_tool.model.outcome import Ended
from queue_tool.model.ticket import ticket_id

Report = tuple[str, Ended, float | None, float]
"""A run's ticket, how it ended, and when its function was called and has returned (both monotonic)."""


class Inbox:
    """Executors, wakers, signals and RQ's commands put reports in. The pump takes them out."""

    def __init__(self, clock: Clock) -> None:
        """Start empty. The pump must use the same clock."""
        self._clock = clock
        self._changed = threading.Event()
        self._returned: deque[Report] = deque()
        self._canceled: deque[str] = deque()
        self._filled: deque[str] = deque()
        self._noted: dict[str, Context] = {}
        self.finish_by: float | None = None  # monotonic; None until `finish` is called
        self._told = threading.Event()

    # -- put in, by any thread -----------------------------------------------------------------------------

    def returned(
        self, ticket: str, ended: Ended, called_at: float | None = None, returned_at: float | None = None
    ) -> None:
        """Report that the function of a run has returned.

        Args:
            ticket: the run's ticket.
            ended: how the run ended.
            called_at: when the function was called (monotonic); None: it was never called.
            returned_at: when it returned (monotonic); None: now.
        """
        self._returned.append((ticket, ended, called_at, returned_at or self._clock.monotonic()))
        self._wake()

    def canceled(self, ticket: str) -> None:
        """Report that the task of a run was canceled, so its outcome is no longer needed."""
        self._canceled.append(ticket)
        self._wake()

    def filled(self, name: str) -> None:
        """Report that a list that was empty now has a ticket."""
        self._filled.append(name)
        self._wake()

    def ready(self) -> None:
        """Report that a lane can begin runs now, which it could not before."""
        self._wake()

    def noted(self, context: Context) -> None:
        """Report that a run has new notes. Only the first report since the pump took the notes wakes it."""
        was_silent = not self._noted
        self._noted[ticket_id(context.token, context.run)] = context
        if was_silent:
            self._wake()

    def finish(self, within: float, *, by_itself: bool = False) -> None:
        """Ask the pump to end. It takes nothing new, and active runs may continue for `within` seconds.

        Args:
            within: seconds.
            by_itself: whether the worker ends by itself, or because of its tasks. Otherwise it was told to end.
        """
        if not by_itself:
            self._told.set()
        until = self._clock.monotonic() + within
        self.finish_by = until if self.finish_by is None else min(until, self.finish_by)
        self._wake()

    @property
    def was_told_to_finish(self) -> bool:
        """Return whether an operator or the supervisor told the worker to end."""
        return self._told.is_set()

    def await_order(self, seconds: float) -> None:
        """Wait until an operator or the supervisor tells the worker to end, at most for this time."""
        self._told.wait(seconds)

    def _wake(self) -> None:
        if not self._changed.is_set():
            self._changed.set()

    # -- take out, by the pump -----------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Wait until another thread reports something, at most for this time."""
        self._changed.wait(seconds)

    def reset(self) -> None:
        """Let the next report wake the pump again. Call this before you take anything out."""
        self._changed.clear()

    def take_returned(self) -> Iterator[Report]:
        """Yield a report for each run whose function has returned."""
        while self._returned:
            yield self._returned.popleft()

    def take_canceled(self) -> Iterator[str]:
        """Yield the tickets of the runs that were canceled."""
        while self._canceled:
            yield self._canceled.popleft()

    def take_filled(self) -> Iterator[str]:
        """Yield the lists that are no longer empty."""
        while self._filled:
            yield self._filled.popleft()

    def take_noted(self) -> Iterator[Context]:
        """Yield the context of each run that has new notes."""
        while self._noted:
            yield self._noted.popitem()[1]

    @property
    def has_returned(self) -> bool:
        """Return whether a returned run waits to be taken out."""
        return bool(self._returned)

    @property
    def has_filled(self) -> bool:
        """Return whether a filled list waits to be taken out."""
        return bool(self._filled)

    @property
    def has_noted(self) -> bool:
        """Return whether a run with new notes waits to be taken out."""
        return bool(self._noted)
