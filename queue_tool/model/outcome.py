"""How a run ended: what the function returned or raised, and what the store keeps of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from queue_tool.model.bounded_text import described
from queue_tool.model.states import Code, Move


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """The function returned a result."""

    result: str  # JSON text


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The function returned no usable result."""

    code: Code
    error: str
    traceback: str = ""
    final: bool = False  # another attempt would fail too, so none is made
    after: float | None = None  # seconds until the next attempt, as the function requested; None: use the backoff


Ended = Returned | Failed

NOTHING = Returned(result="null")
"""The result of every function that returns None."""


def timed_out(timeout: float | None) -> Failed:
    """Return the end of a run that has reached its deadline."""
    return Failed(code=Code.TIMEOUT, error=f"The task took longer than {timeout:g} seconds.")


def not_started(error: BaseException) -> Failed:
    """Return the end of a run that got no thread or process."""
    return Failed(code=Code.ERROR, error=f"The task could not be started: {described(error)}.")


NOT_BEGUN = Failed(code=Code.ERROR, error="Its process ended before it began.")
"""The end of a run whose function was not called, because of another run. It is not stored: the task is put back."""


SETTLING = frozenset({Move.FINISH, Move.FAIL, Move.RETRY_LATER, Move.PUT_BACK, Move.RESIGN, Move.LOSE, Move.GIVE_UP})
"""The moves with which a run can end."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended: the move to make, and the values to store."""

    token: str
    run: int
    move: Move  # one of SETTLING
    result: str | None = None  # JSON text
    code: Code | None = None
    error: str | None = None
    traceback: str = ""
    attempt: int = 1
    started_at: datetime | None = None  # None: when the run was claimed
    due_at: datetime | None = None  # when the next attempt may start; only for RETRY_LATER
    seconds: float | None = None  # duration of the run, for the log
    begun: bool = True  # False: its function was not called, so the log says nothing
    task_type: str = ""  # for metrics; empty if it is not known


MOST_LINES = 100
"""How many log lines of a run are kept: the last ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What a run reports while it runs."""

    token: str
    run: int
    progress: float | None  # from 0 to 1; None: unchanged
    note: str
    lines: tuple[str, ...]  # new lines for its log
    logged: int = 0  # how many lines the run has logged in all, with the new ones

    def followed_by(self, later: Note) -> Note:
        """Return this note and a later one of the same run as one note."""
        newest = self if later.progress is None else later
        lines = (self.lines + later.lines)[-MOST_LINES:]
        return replace(later, progress=newest.progress, note=newest.note, lines=lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A run that did not succeed, kept for the history of its task."""

    attempt: int
    run: int
    worker: str  # kind, host and pid of the worker process, for people; empty if unknown
    started_at: datetime | None
    ended_at: datetime
    code: str  # why it failed; "canceled" if the task was canceled
    error: str | None
    traceback: str
