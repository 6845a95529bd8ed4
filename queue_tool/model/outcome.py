"""How a run ended: as the one who called the function says it, and as it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from queue_tool.model.states import Code, Move


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """The function came back with a result."""

    result: str  # JSON text


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The function did not come back with a result."""

    code: Code
    error: str
    traceback: str = ""
    final: bool = False  # it would fail again: no other attempt is made
    after: float | None = None  # seconds until the next attempt, as the function wants it


Ended = Returned | Failed

NOTHING = Returned(result="null")
"""What a function that returns nothing comes back with; the same for all of them."""


def timed_out(timeout: float | None) -> Failed:
    """Return how a run ends at its deadline, whatever its function does."""
    return Failed(code=Code.TIMEOUT, error=f"The task took longer than {timeout:g} seconds.")


def not_started(error: Exception) -> Failed:
    """Return how a run ends for which there is no thread or process."""
    return Failed(code=Code.ERROR, error=f"It could not be started: {error!r}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended: the move to make, and what to keep."""

    token: str
    run: int
    move: Move  # one of FINISH, FAIL, RETRY_LATER and PUT_BACK
    result: str | None = None  # JSON text
    code: Code | None = None
    error: str | None = None
    traceback: str = ""
    attempt: int = 1
    started_at: datetime | None = None
    due_at: datetime | None = None  # when the next attempt comes; only of RETRY_LATER
    seconds: float | None = None  # that the run took, for the log


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What a run says of itself while it runs."""

    token: str
    run: int
    progress: float | None  # from 0 to 1; None: as before
    note: str
    lines: tuple[str, ...]  # new ones for its log


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A run that did not succeed, as it is kept for those who want to know."""

    attempt: int
    run: int
    worker: str  # which process it was, as far as that is known
    started_at: datetime | None
    ended_at: datetime
    code: str  # why it failed; "canceled" where somebody ended it
    error: str | None
    traceback: str
