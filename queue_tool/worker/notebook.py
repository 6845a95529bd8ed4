"""The notebook of a worker: what its runs say of themselves, until it is written."""

from __future__ import annotations

from queue_tool.model.clock import Clock
from queue_tool.model.context import Context
from queue_tool.model.outcome import Note
from queue_tool.worker.inbox import Inbox

WRITE_EVERY = 0.25
"""Seconds between two writings, unless something else is written anyway."""


class Notebook:
    """Collects what has come into the inbox, and keeps it until it was written."""

    def __init__(self, inbox: Inbox, clock: Clock) -> None:
        """Start with nothing."""
        self._inbox = inbox
        self._clock = clock
        self._taken: list[Note] = []
        self._written = 0.0

    def due(self) -> float | None:
        """Return when it is to be written; None if there is nothing to write."""
        return self._written + WRITE_EVERY if self._inbox.has_noted or self._taken else None

    def take(self) -> list[Note]:
        """Return what was said since the last time; the same again, until it is forgotten."""
        self._written = self._clock.monotonic()
        if not self._taken:
            self._taken = [_note_of(context) for context in self._inbox.take_noted()]
        return self._taken

    def forget(self) -> None:
        """Hear that what was taken has been written."""
        self._taken = []


def _note_of(context: Context) -> Note:
    notes = context.take_notes()
    return Note(token=context.token, run=context.run, progress=notes.progress, note=notes.note, lines=notes.lines)
