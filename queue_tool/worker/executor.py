"""What every executor of a worker offers: it calls the functions of one lane and tells the inbox how they ended.

A run begins when a slot is free. The caller counts the slots. It may start more runs than there are slots in the lanes
that have threads or processes; the rest waits there, in order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from queue_tool.host.begun import Entries
from queue_tool.model.outcome import Failed
from queue_tool.model.run import Run
from queue_tool.model.states import Code

CANCELED = Failed(code=Code.ERROR, error="It was canceled while it ran.")
"""The end of an abandoned run. It is not stored."""


def ignore_returned(run: Run) -> None:
    """Do nothing when the function of a run has returned."""


class Executor(Protocol):
    """What every executor offers."""

    slots: int  # how many functions may run at the same time
    begun: Entries  # where each slot notes what it has begun, before the first start
    most_begun: int  # how many functions it may have begun at the same time

    def start(self, runs: Iterable[Run]) -> None:
        """Start the runs. Each reports to the inbox once, when it ends. A function that never returns never reports."""

    def stop(self, ticket: str) -> None:
        """Try to stop a run. It reports to the inbox when its function has really ended."""

    def called_at(self, ticket: str) -> float | None:
        """Return when the function of a run was called (monotonic); None if it has not been called yet."""

    def waits(self, ticket: str, /) -> bool:
        """Return whether a run waits for a slot."""

    def withdraw(self, ticket: str, /) -> bool:
        """Take a run back that waits for a slot. It never begins and never reports. False if it does not wait."""

    @property
    def companions(self) -> int:
        """Return how many active runs take no slot, because they share a process with another run."""

    @property
    def places(self) -> int:
        """Return how many runs could share a process now without a slot."""

    def shares(self, run: Run, /) -> bool:
        """Return whether a run may take such a place."""

    @property
    def is_ready(self) -> bool:
        """Return whether runs could begin now. If not, the inbox is told when they can."""

    def busy_since(self, moment: float) -> int:
        """Return how many slots have been busy with one function since before this moment (monotonic)."""


class SharesNothing:
    """What an executor offers in which each run takes a slot of its own, and may begin at once."""

    @property
    def is_ready(self) -> bool:
        """Return True: runs may begin at once."""
        return True

    @property
    def companions(self) -> int:
        """Return 0: each run takes a slot."""
        return 0

    @property
    def places(self) -> int:
        """Return 0: each run takes a slot."""
        return 0

    def shares(self, _run: Run) -> bool:
        """Return False: each run takes a slot."""
        return False
