"""How a run ended, as the one who ran it says it."""

from __future__ import annotations

from dataclasses import dataclass

from queue_tool.model.tasks import Code


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
