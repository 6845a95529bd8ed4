"""Tasks: start, success, failure, and retry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from queue_tool.model.events.shared import (
    AttemptNumber,
    BatchId,
    Duration,
    FailureCode,
    FailureText,
    Reason,
    RunNumber,
    Token,
    TypeName,
)
from queue_tool.model.states import State
from queue_tool.model.telemetry import Event, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted(Event):
    """A worker has claimed a task."""

    title = "task started"
    level = Level.DEBUG
    token: Token
    task_type: TypeName
    run: RunNumber
    attempt: AttemptNumber


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEnded(Event):
    """A task has finished successfully."""

    title = "task ended"
    level = Level.DEBUG
    token: Token
    run: RunNumber
    status: Annotated[State, "always `finished`"] = State.FINISHED
    duration: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed(Event):
    """A task has failed and is not retried: it is a dead letter now.

    If the sweeper records the failure, only `token`, `code` and `status` are present.
    """

    title = "task failed"
    level = Level.WARNING
    token: Token
    run: RunNumber | None = None
    code: FailureCode
    error: FailureText | None = None
    attempt: AttemptNumber | None = None
    status: Annotated[State, "always `failed`"] = State.FAILED
    duration: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRetried(Event):
    """A run of a task has failed, and the task is retried later."""

    title = "task failed and is tried again"
    level = Level.WARNING
    token: Token
    run: RunNumber
    code: FailureCode
    error: FailureText | None = None
    attempt: AttemptNumber
    due_at: Annotated[datetime, "when the next attempt may start, in UTC"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPutBack(Event):
    """A worker that stops has put back a task that it ran. Another worker makes the same attempt again."""

    title = "task put back"
    level = Level.WARNING
    token: Token
    run: RunNumber


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLost(Event):
    """The process of a function died, or the function keeps its worker from working. The task runs again.

    It counts one more loss.
    """

    title = "task lost"
    level = Level.WARNING
    token: Token
    run: RunNumber
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryChanged(Event):
    """The working directory of a worker was changed while a task ran. The worker has returned to its own directory."""

    title = "working directory changed"
    level = Level.WARNING
    token: Token
    run: RunNumber


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFinished(Event):
    """All tasks of a batch have ended."""

    title = "batch finished"
    batch: BatchId


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeDelayed(Event):
    """The database is busy or unavailable. A worker keeps its results in memory until the database is back.

    Our worker reports this once for all of its runs. RQ's own workers report it each time they fail to record a result.
    """

    title = "outcome delayed"
    level = Level.WARNING
    token: Annotated[str, "the token of the task; only from RQ's own workers"] | None = None
    run: Annotated[int, "the number of the run; only from RQ's own workers"] | None = None
    outcomes: Annotated[int, "the number of runs whose result is not recorded yet"] | None = None
    tickets: Annotated[int, "the number of tickets that wait to be claimed by this worker"] | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketDropped(Event):
    """A ticket or an outcome was dropped, because its run is no longer valid."""

    title = "ticket dropped"
    level = Level.DEBUG
    token: Token
    run: RunNumber
