"""The notebook of a worker: what its runs say of themselves, until it is written."""

from __future__ import annotations

import time
from collections.abc import Callable

from queue_tool.model.context import Context
from queue_tool.model.outcome import Note
from queue_tool.model.ticket import ticket_id

WRITE_EVERY = 0.25
"""Seconds between two writings, unless something else is written anyway."""


class Notebook:
    """Collects from every thread what the pump takes."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """Start with nothing; `wake` is called at the first word after a silence."""
        self._wake = wake
        self._said: dict[str, Context] = {}
        self._taken: list[Note] = []
        self._written = 0.0

    def note(self, context: Context) -> None:
        """Hear that a run has something to say."""
        was_silent = not self._said
        self._said[ticket_id(context.token, context.run)] = context
        if was_silent:
            self._wake()

    def due(self) -> float | None:
        """Return when it is to be written; None if there is nothing to write."""
        return self._written + WRITE_EVERY if self._said or self._taken else None

    def take(self) -> list[Note]:
        """Return what was said since the last time; the same again, until it is forgotten."""
        self._written = time.monotonic()
        if not self._taken:
            self._taken = self._collected()
        return self._taken

    def forget(self) -> None:
        """Hear that what was taken has been written."""
        self._taken = []

    def _collected(self) -> list[Note]:
        notes: list[Note] = []
        while self._said:
            _, context = self._said.popitem()
            said = context.take_notes()
            notes.append(
                Note(token=context.token, run=context.run, progress=said.progress, note=said.note, lines=said.lines)
            )
        return notes
