"""A task, as a worker claims it and as users see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from queue_tool.model.states import Code, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When a task may start."""

    due_at: datetime | None = None  # not before this time; None: at once
    expires_at: datetime | None = None  # the task fails if it has never started by then; None: never


AT_ONCE = Timing()
"""As soon as a worker is free. The task never expires."""


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A task that this process has just moved to `running`, with everything that its run needs."""

    token: str
    run: int  # the fence: grows by one for each further run, and never shrinks
    attempt: int  # the number that users see and the retry policy counts
    task_type: str
    data: str  # JSON text
    started_at: datetime
    losses: int = 0  # processes that died while they ran the task
    resignations: int = 0  # workers that ended by themselves while they ran the task
    max_attempts: int | None = None  # None: the value of the task type
    forgiven: int = 0  # attempts before the last manual retry, which no longer count
    timeout: float | None = None  # seconds; 0: no limit; None: the value of the task type
    parameters: str | None = None  # JSON text of an object
    parent: str | None = None  # the batch or task that it follows: see `model.continuation`
    due_at: datetime | None = None  # before which the task was not to start; None: it had no delay, and no retry


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What a user can read about a task with its token only."""

    token: str
    batch: str | None
    task_type: str
    data: str  # JSON text
    state: State
    run: int
    attempt: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    result: str | None  # JSON text
    code: Code | None
    error: str | None
    progress: float | None = None  # from 0 to 1
    note: str | None = None  # a text about the progress
    canceled_by: str | None = None
    cancel_reason: str | None = None
    canceled_key: str | None = None  # name of the API key that canceled it

    @property
    def begun_attempt(self) -> int | None:
        """Return the number of the attempt; None before the first start."""
        return None if self.run == 1 and self.started_at is None else self.attempt

    @property
    def duration(self) -> float | None:
        """Return the duration of the last run in seconds; None until the task has ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()
