"""What a task's function may know of its own run, if it takes a second parameter."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One run of one task, as its function sees it.

    `canceled` is set when nobody waits for the result any more, because the deadline has passed; a function
    that works for long looks at it now and then and returns.
    """

    token: str
    attempt: int
    deadline: datetime | None  # when the run will be recorded as timed out, if it has a limit
    canceled: threading.Event = field(default_factory=threading.Event)
    _notes: list[tuple[float, str]] = field(default_factory=list, init=False, repr=False)
    _lines: list[str] = field(default_factory=list, init=False, repr=False)

    def progress(self, done: float, note: str = "") -> None:
        """Say how much is done, from 0 to 1, with a word about it.

        Raises:
            ValueError: the number is not between 0 and 1.
        """
        if not 0 <= done <= 1:
            raise ValueError(f"progress is a number from 0 to 1, not {done!r}")
        self._notes[:] = [(float(done), note)]

    def log(self, text: str) -> None:
        """Add a line to the task's own log."""
        self._lines.append(text)
