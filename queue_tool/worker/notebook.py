"""The notebook of a worker: the progress and log lines of its runs, until the store has them."""

from __future__ import annotations

from queue_tool.model.clock import Clock
from queue_tool.model.context import Context
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
        self._taken: list[Note] = []
        self._written = 0.0

    def due(self) -> float | None:
        """Return when the notes must be written (monotonic). None if there are none."""
        return self._written + WRITE_EVERY if self._inbox.has_noted or self._taken else None

    def take(self) -> list[Note]:
        """Return the new notes. Until `clear` is called, return the same notes again."""
        self._written = self._clock.monotonic()
        if not self._taken:
            self._taken = [_note_of(context) for context in self._inbox.take_noted()]
        return self._taken

    def clear(self) -> None:
        """Drop the notes that were taken, because the store has them."""
        self._taken = []


def _note_of(context: Context) -> Note:
    notes = context.take_notes()
    return Note(token=context.token, run=context.run, progress=notes.progress, note=notes.note, lines=notes.lines)
