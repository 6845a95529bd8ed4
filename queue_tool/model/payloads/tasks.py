"""Tasks in answers: their status, their place in lists, and all their details."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from queue_tool.model.payloads.fields import (
    BatchOrNone,
    Count,
    Item,
    Message,
    Payload,
    TaskId,
    Time,
    TimeOrNone,
    Token,
    TypeName,
)
from queue_tool.model.queues import Priority
from queue_tool.model.states import Code, State

Attempt = Annotated[int | None, Meta(description="The number of the attempt; null before the first start.")]
Duration = Annotated[float | None, Meta(description="Seconds that the last run took; null until the task has ended.")]
Progress = Annotated[float | None, Meta(description="What the function reported, from 0 to 1; null if nothing.")]
ProgressNote = Annotated[str | None, Meta(description="The text that the function reported with its progress.")]
OwnId = Annotated[str | None, Meta(description="The id that the client gave to the task.")]
Name = Annotated[str | None, Meta(description="The name that the client gave.")]
Status = Annotated[State, Meta(description="The state of the task.")]


class TaskError(Payload, frozen=True, kw_only=True):
    """Why a task failed."""

    code: Code
    message: Annotated[str | None, Meta(description="The error of the function, or a sentence about the failure.")]


Error = Annotated[TaskError | None, Meta(description="Why the task failed; null if it did not fail.")]


class Check(Payload, frozen=True, kw_only=True):
    """The state of a task, as everyone may read it who has its token."""

    message: Message
    token: Token
    batch: BatchOrNone
    task_type: TypeName
    item: Item
    status: Status
    attempt: Attempt
    created_at: Time
    started_at: TimeOrNone
    finished_at: TimeOrNone
    duration: Duration
    progress: Progress
    note: ProgressNote
    result: Annotated[Any, Meta(description="What the function returned; null until it has.")]
    error: Error


class CheckedToken(Payload, frozen=True, kw_only=True):
    """The state of one of many tasks."""

    hash: Annotated[str, Meta(description="The token, as the request has it.")]
    message: Annotated[str, Meta(description="As in `GET /check/{token}`; `Job not found` for an unknown token.")]
    status: Annotated[
        str, Meta(description="The state of the task.", extra_json_schema={"enum": [*map(str, State), "unknown"]})
    ]


class CheckedTokens(Payload, frozen=True, kw_only=True):
    """The states of many tasks, in the order of the request."""

    results: list[CheckedToken]


class StatusOnly(Payload, frozen=True, kw_only=True):
    """The id and the status of a task, and no more."""

    task_id: TaskId
    token: Token
    status: Status
    message: Message


class TaskStatus(StatusOnly, frozen=True, kw_only=True):
    """The id and the status of a task."""

    task_type: TypeName
    batch: BatchOrNone
    custom_id: OwnId | UnsetType = UNSET
    duplicate: Annotated[
        bool | UnsetType,
        Meta(description="True if no task was made, because this unfinished task has the same `unique_key`."),
    ] = UNSET


class TaskSummary(Payload, frozen=True, kw_only=True):
    """A task in a list. Long values are cut."""

    task_id: TaskId
    token: Token
    status: Status
    message: Message
    task_type: TypeName
    batch: BatchOrNone
    name: Name
    custom_id: OwnId
    tags: list[str]
    priority: Priority
    item: Item
    attempt: Attempt
    created_at: Time
    due_at: Annotated[str | None, Meta(description="The task does not start before this time; null: at once.")]
    started_at: TimeOrNone
    finished_at: TimeOrNone
    duration: Duration
    progress: Progress
    note: ProgressNote
    worker: Annotated[str | None, Meta(description="The worker that ran the task last.")]
    host: Annotated[str | None, Meta(description="The host of that worker.")]
    error: Error
    shortened: Annotated[
        list[str] | UnsetType, Meta(description="The keys whose values were cut. The task's details have all of them.")
    ] = UNSET


class EndedTask(TaskSummary, frozen=True, kw_only=True):
    """An ended task in a list, with its result. Long values are cut."""

    result: Annotated[Any, Meta(description="What the function returned; null if the task did not succeed.")]


class FailedAttempt(Payload, frozen=True, kw_only=True):
    """An attempt that did not succeed."""

    attempt: int
    run: int
    worker: Annotated[str | None, Meta(description="The worker process that ran it.")]
    started_at: TimeOrNone
    ended_at: Time
    code: Annotated[
        str, Meta(description="Why it did not succeed.", extra_json_schema={"enum": [*map(str, Code), "canceled"]})
    ]
    error: Annotated[str | None, Meta(description="The error of the function.")]
    traceback: Annotated[str | None, Meta(description="The traceback of the error, cut if it is long.")]


class TimelineEvent(Payload, frozen=True, kw_only=True):
    """One event in the life of a task."""

    at: Time
    event: Literal["created", "started", "failed", "canceled", "finished"]
    code: Annotated[Code | UnsetType, Meta(description="Why the run failed; only where it did.")] = UNSET
    run: Annotated[int | None, Meta(description="The number of the run; null for `created`.")]


class LogLine(Payload, frozen=True, kw_only=True):
    """A line that the function logged."""

    at: Time
    run: int
    text: str


class TaskDetails(TaskSummary, frozen=True, kw_only=True):
    """Everything about a task."""

    index: Annotated[int, Meta(description="The position in the array of the request, from 0.")]
    data: Annotated[Any, Meta(description="The input of the function.")]
    description: Annotated[str | None, Meta(description="The description that the client gave.")]
    parameters: Annotated[
        Any,
        Meta(description="Additional input for the function.", extra_json_schema={"type": ["object", "null"]}),
    ]
    unique_key: Annotated[str | None, Meta(description="At most one unfinished task of the type has this key.")]
    timeout: Annotated[float | None, Meta(description="Seconds, as submitted; null: the value of the task type.")]
    max_attempts: Annotated[int | None, Meta(description="As submitted; null: the value of the task type.")]
    expires_at: Annotated[str | None, Meta(description="The task fails if it has not started by this time.")]
    run: Annotated[int, Meta(description="Grows by one each time that the task goes back to the queue.")]
    losses: Annotated[int, Meta(description="How many workers died while they ran the task.", ge=0)]
    result: Annotated[Any, Meta(description="What the function returned; null until it has.")]
    canceled_by: Annotated[str | None, Meta(description="Who canceled the task, as the request said.")]
    cancel_reason: Annotated[str | None, Meta(description="Why, as the request said.")]
    canceled_key: Annotated[str | None, Meta(description="The name of the API key of that request.")]
    attempts: Annotated[list[FailedAttempt], Meta(description="The attempts that did not succeed, oldest first.")]
    timeline: Annotated[list[TimelineEvent], Meta(description="What happened to the task, oldest first.")]
    log: Annotated[list[LogLine], Meta(description="The last 100 lines that the function logged.")]


class TaskResult(TaskStatus, frozen=True, kw_only=True):
    """The result of a task. `status` says whether the task has ended."""

    data: Annotated[Any, Meta(description="The input of the function.")]
    result: Annotated[Any, Meta(description="What the function returned; null until it has.")]
    error: Error
    created_at: Time
    started_at: TimeOrNone
    finished_at: TimeOrNone
    duration: Duration


class Changed(Payload, frozen=True, kw_only=True):
    """How many tasks a request found and changed."""

    matched: Annotated[Count, Meta(description="The tasks that the request selects.")]
    changed: Annotated[Count, Meta(description="The tasks that were changed; 0 with `dry_run`.")]


class Removed(Payload, frozen=True, kw_only=True):
    """How many tasks a request deleted."""

    removed: Count
