"""The notebook of a worker: the progress and log lines of its runs, until the store has them."""

from __future__ import annotations

from queue_tool.model.clock import Clock
from queue_tool.model.context import take_note
from queue_tool.model.outcome import Note
from queue_tool.worker.inbox import Inbox

WRITE_EVERY = 0.25
"""Seconds between two transactions for notes. A transaction that settles or claims takes the notes with it."""


class Notebook:
    """Collects the notes from the inbox and keeps them until the store has them."""

    def __init__(self, inbox: Inbox, clock: Clock) -> None:
        """Start empty."""
        self._inbox = inbox
        self._clock = clock
        self._taken: dict[tuple[str, int], Note] = {}
        self._written = 0.0

    def due(self) -> float | None:
        """Return when the notes must be written (monotonic). None if there are none."""
        return self._written + WRITE_EVERY if self._inbox.has_noted or self._taken else None

    def take(self) -> list[Note]:
        """Return the notes that the store does not have yet: one for each run."""
        self._written = self._clock.monotonic()
        for context in self._inbox.take_noted():
            note = take_note(context)
            if note is not None:
                run = note.token, note.run
                self._taken[run] = self._taken[run].followed_by(note) if run in self._taken else note
        return list(self._taken.values())

    def clear(self) -> None:
        """Drop the notes that were taken, because the store has them."""
        self._taken = {}
