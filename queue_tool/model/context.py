"""What a task's function may know of its own run, if it takes a second parameter."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from queue_tool.model.bounded_text import keepable

MOST_LINES = 100
"""Lines that a run's log keeps: the last ones."""

LONGEST_LINE = 2000
"""Characters that are kept of a line, and of a note."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """What a run has said of itself since it was asked last."""

    progress: float | None  # None: nothing new
    note: str
    lines: tuple[str, ...]


def nobody(_: Context) -> None:
    """Listen to nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One run of one task, as its function sees it.

    `canceled` is set when nobody waits for the result any more, because the deadline has passed or somebody
    has canceled the task; a function that works for long looks at it now and then and returns.
    """

    token: str
    attempt: int
    run: int = (
        1  # grows with every start of the task, so that a later run may tell an earlier one's traces from its own
    )
    deadline: datetime | None  # when the run will be recorded as timed out, if it has a limit
    parameters: Mapping[str, Any] = field(default_factory=dict)  # what was said for the function beside its data
    canceled: threading.Event = field(default_factory=threading.Event)
    on_news: Callable[[Context], None] = field(default=nobody, repr=False)  # is told that there are notes to take
    _notes: list[tuple[float, str]] = field(default_factory=list, init=False, repr=False)
    _lines: list[str] = field(default_factory=list, init=False, repr=False)

    def progress(self, done: float, note: str = "") -> None:
        """Say how much is done, from 0 to 1, with a word about it.

        Raises:
            ValueError: the number is not between 0 and 1.
        """
        if not 0 <= done <= 1:
            raise ValueError(f"progress is a number from 0 to 1, not {done!r}")
        self._notes[:] = [(float(done), keepable(note, LONGEST_LINE))]
        self.on_news(self)

    def log(self, text: str) -> None:
        """Add a line to the task's own log."""
        self._lines.append(keepable(text, LONGEST_LINE))
        del self._lines[:-MOST_LINES]
        self.on_news(self)

    def take_notes(self) -> Notes:
        """Return what was said since the last time."""
        progress, note = self._notes.pop() if self._notes else (None, "")
        lines = tuple(self._lines)
        del self._lines[: len(lines)]
        return Notes(progress=progress, note=note, lines=lines)
