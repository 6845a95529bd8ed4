"""The inbox of a worker: what its other threads tell the pump. Whatever arrives wakes the pump."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

from queue_tool.model.clock import Clock
from queue_tool.model.context import Context
from queue_tool.model.outcome import Ended
from queue_tool.model.ticket import ticket_id


class Inbox:
    """Executors, wakers, signals and RQ's commands put in; the pump takes out."""

    def __init__(self, clock: Clock) -> None:
        """Start empty; the clock is the one that the pump goes by."""
        self._clock = clock
        self._news = threading.Event()
        self._returned: deque[tuple[str, Ended]] = deque()
        self._canceled: deque[str] = deque()
        self._filled: deque[str] = deque()
        self._noted: dict[str, Context] = {}
        self.finish_by: float | None = None  # monotonic; None until somebody asks for the end

    # -- put in, by any thread -----------------------------------------------------------------------------

    def returned(self, ticket: str, ended: Ended) -> None:
        """Say that the function of a run has come back."""
        self._returned.append((ticket, ended))
        self._wake()

    def canceled(self, ticket: str) -> None:
        """Say that nobody waits for a run any more, since its task was canceled."""
        self._canceled.append(ticket)
        self._wake()

    def filled(self, name: str) -> None:
        """Say that there is something in a list that was empty."""
        self._filled.append(name)
        self._wake()

    def noted(self, context: Context) -> None:
        """Say that a run has something to say of itself; only the first word after a silence wakes the pump."""
        was_silent = not self._noted
        self._noted[ticket_id(context.token, context.run)] = context
        if was_silent:
            self._wake()

    def finish(self, within: float) -> None:
        """Ask for the end: nothing new is taken, and what runs has so many seconds."""
        until = self._clock.monotonic() + within
        self.finish_by = until if self.finish_by is None else min(until, self.finish_by)
        self._wake()

    def _wake(self) -> None:
        if not self._news.is_set():
            self._news.set()

    # -- take out, by the pump -----------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Wait until something is put in, at most so long."""
        self._news.wait(seconds)

    def reset(self) -> None:
        """Let what is put in from now on wake the pump again; to be called before anything is taken out."""
        self._news.clear()

    def take_returned(self) -> Iterator[tuple[str, Ended]]:
        """Return the runs whose functions have come back, by their tickets, and how they ended."""
        while self._returned:
            yield self._returned.popleft()

    def take_canceled(self) -> Iterator[str]:
        """Return the tickets of the runs that nobody waits for any more."""
        while self._canceled:
            yield self._canceled.popleft()

    def take_filled(self) -> Iterator[str]:
        """Return the lists that have something now."""
        while self._filled:
            yield self._filled.popleft()

    def take_noted(self) -> Iterator[Context]:
        """Return the runs that have something to say of themselves."""
        while self._noted:
            yield self._noted.popitem()[1]

    @property
    def has_returned(self) -> bool:
        """Tell whether a run has come back that was not taken out yet."""
        return bool(self._returned)

    @property
    def has_filled(self) -> bool:
        """Tell whether a list has something that was not taken out yet."""
        return bool(self._filled)

    @property
    def has_noted(self) -> bool:
        """Tell whether a run has something to say."""
        return bool(self._noted)
