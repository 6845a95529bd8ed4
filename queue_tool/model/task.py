"""A task, as it is claimed by a worker and as it is shown to those who ask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from queue_tool.model.states import Code, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When a task may be done."""

    due_at: datetime | None = None  # not before; None: at once
    expires_at: datetime | None = None  # one that was never started by then is failed


AT_ONCE = Timing()
"""As soon as there is a worker, whenever that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A task that this process has just moved to running, with all that its run needs."""

    token: str
    run: int  # the fence: grows by one each time that the task goes back for another run, and never shrinks
    attempt: int  # what users see and what a retry policy counts
    task_type: str
    data: str  # JSON text
    started_at: datetime
    losses: int = 0  # workers that died under it
    max_attempts: int | None = None  # None: the type's
    forgiven: int = 0  # attempts before it was last retried by hand, which do not count
    timeout: float | None = None  # seconds, 0 for no limit; None: the type's
    parameters: str | None = None  # JSON text of an object


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What a user may know of a task by its token alone."""

    token: str
    batch: str | None
    task_type: str
    data: str  # JSON text
    state: State
    attempt: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    result: str | None  # JSON text
    code: Code | None
    error: str | None
    progress: float | None = None
    note: str | None = None
    canceled_by: str | None = None
    cancel_reason: str | None = None

    @property
    def duration(self) -> float | None:
        """Return how long the last run took, in seconds; None until it has ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()
