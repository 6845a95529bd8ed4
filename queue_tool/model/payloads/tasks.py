"""Tasks in answers: their status, their result, and their place in lists."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from queue_tool.model.continuation import When
from queue_tool.model.payloads.fields import (
    BatchOrNone,
    Count,
    Created,
    Ended,
    Item,
    Message,
    Payload,
    Started,
    TaskId,
    Time,
    Token,
    TypeName,
)
from queue_tool.model.queues import Priority
from queue_tool.model.states import Code, State

Attempt = Annotated[
    int | None,
    Meta(description="The number of the current or last attempt, from 1; null before the first start."),
]
Duration = Annotated[
    float | None,
    Meta(description="Seconds that the last run took; null until the task has ended, and if it never started."),
]
Progress = Annotated[
    float | None,
    Meta(
        description="How much of the current or last run is done, from 0 to 1: what the function reported, and 1 for a "
        "finished task; null if neither."
    ),
]
ProgressNote = Annotated[
    str | None, Meta(description="The text that the function reported with `progress`; null if it reported nothing.")
]
OwnId = Annotated[str | None, Meta(description="The `custom_id` in the request; null if the request has none.")]
Name = Annotated[str | None, Meta(description="The name of the task in the request; null if the request has none.")]
Status = Annotated[
    State,
    Meta(
        description="The state of the task: `scheduled` (it waits for its time, or for its next attempt), `queued` "
        "(it waits for a worker), `running`, `finished` (it has a result), `failed` or `canceled`."
    ),
]
Result = Annotated[Any, Meta(description="The result of the function; null until the task has finished.")]
Data = Annotated[Any, Meta(description="The input of the function, as in the request.")]


class Follower(Payload, frozen=True, kw_only=True):
    """What follows when a batch or a task has ended."""

    when: Annotated[
        When,
        Meta(
            description="After which ends: `always`, `all_finished` (no task failed or was canceled) or `any_failed` "
            "(one was). Refused elements do not count."
        ),
    ]
    task_type: TypeName
    tokens: Annotated[
        list[str],
        Meta(
            description="The tokens of the tasks that were created, oldest first: one for each end. "
            "A batch that is retried can end again."
        ),
    ]


Followers = Annotated[
    list[Follower], Meta(description="What follows at its end, in the order of the request; only if anything does.")
]


class TaskError(Payload, frozen=True, kw_only=True):
    """Why a task failed."""

    code: Annotated[
        Code,
        Meta(
            description="The kind of the failure: `error` (the function raised an exception), `aborted` (it raised "
            "`Abort`), `timeout` (it took too long), `expired` (it did not start by `expires_at`), `worker_lost` (too "
            "many processes died while they ran it), `unknown_task_type` (no worker knows the task type) or "
            "`bad_result` (the result is not JSON, or the database refused to keep it)."
        ),
    ]
    message: Annotated[
        str | None, Meta(description="The exception of the function with its text, or a sentence about the failure.")
    ]


Error = Annotated[TaskError | None, Meta(description="Why the task failed; null if it has not failed.")]


class Check(Payload, frozen=True, kw_only=True):
    """The state of a task, for every client that has its token."""

    message: Message
    token: Token
    batch: BatchOrNone
    task_type: TypeName
    item: Item
    status: Status
    attempt: Attempt
    created_at: Created
    started_at: Started
    finished_at: Ended
    duration: Duration
    progress: Progress
    note: ProgressNote
    result: Result
    error: Error


class CheckedToken(Payload, frozen=True, kw_only=True):
    """The state of one of many tasks."""

    hash: Annotated[str, Meta(description="The token in the request.")]
    message: Annotated[str, Meta(description="As in `GET /check/{token}`; `Job not found` for an unknown token.")]
    status: Annotated[
        str,
        Meta(
            description="The state of the task; `unknown` if no task has this token.",
            extra_json_schema={"enum": [*map(str, State), "unknown"]},
        ),
    ]


class CheckedTokens(Payload, frozen=True, kw_only=True):
    """The states of many tasks, in the order of the request."""

    results: Annotated[list[CheckedToken], Meta(description="One entry for each token, in the order of the request.")]


class StatusOnly(Payload, frozen=True, kw_only=True):
    """The token and the state of a task, and no more."""

    task_id: TaskId
    id: TaskId
    token: Token
    status: Status
    message: Message


class TaskStatus(StatusOnly, frozen=True, kw_only=True):
    """The token and the state of a task."""

    task_type: TypeName
    batch: BatchOrNone
    custom_id: OwnId | UnsetType = UNSET
    duplicate: Annotated[
        bool | UnsetType,
        Meta(description="True if no task was created, because this unfinished task has the same `unique_key`."),
    ] = UNSET


class TaskFields(Payload, frozen=True, kw_only=True):
    """What lists and the details of a task have in common."""

    task_id: TaskId
    id: TaskId
    token: Token
    status: Status
    message: Message
    task_type: TypeName
    batch: BatchOrNone
    name: Name
    custom_id: OwnId
    tags: Annotated[list[str], Meta(description="The tags of the task in the request.")]
    priority: Annotated[Priority, Meta(description="Tasks with a higher priority start first.")]
    item: Item
    attempt: Attempt
    created_at: Created
    due_at: Annotated[
        Time | None,
        Meta(
            description="The task, or its next attempt, does not start before this time, in UTC (RFC 3339); "
            "null if it may start at once."
        ),
    ]
    started_at: Started
    finished_at: Ended
    duration: Duration
    progress: Progress
    note: ProgressNote
    worker: Annotated[str | None, Meta(description="The id of the worker that ran the task last; null if none did.")]
    host: Annotated[str | None, Meta(description="The host of this worker; null if no worker ran the task.")]
    error: Error


class TaskSummary(TaskFields, frozen=True, kw_only=True):
    """A task in a list. Long values are cut: see `shortened`."""

    shortened: Annotated[
        list[str] | UnsetType,
        Meta(
            description="The keys whose values were cut, because they have more than 1,000 characters; "
            "`GET /tasks/{token}` returns the whole values."
        ),
    ] = UNSET


class EndedTask(TaskSummary, frozen=True, kw_only=True):
    """An ended task in a list, with its result. Long values are cut: see `shortened`."""

    result: Annotated[Any, Meta(description="The result of the function; null if the task failed or was canceled.")]


class TaskResult(TaskStatus, frozen=True, kw_only=True):
    """The result of a task. `status` says whether the task has ended."""

    data: Data
    result: Result
    error: Error
    created_at: Created
    started_at: Started
    finished_at: Ended
    duration: Duration


class Changed(Payload, frozen=True, kw_only=True):
    """How many tasks a request found and changed."""

    matched: Annotated[Count, Meta(description="How many tasks the request selects.")]
    changed: Annotated[Count, Meta(description="How many tasks the request changed; 0 with `dry_run`.")]


class Removed(Payload, frozen=True, kw_only=True):
    """How many tasks a request deleted."""

    removed: Annotated[Count, Meta(description="How many failed tasks were deleted; 0 with `dry_run`.")]
    matched: Annotated[
        Count | UnsetType, Meta(description="How many failed tasks would be deleted now; only with `dry_run`.")
    ] = UNSET
