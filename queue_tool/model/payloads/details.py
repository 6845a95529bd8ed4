"""Everything about a task in an answer: its fields, its failed runs, its timeline and its log."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from queue_tool.model.payloads.fields import Count, Parameters, Payload, Time
from queue_tool.model.payloads.tasks import Data, Followers, Result, TaskFields
from queue_tool.model.states import Code

Run = Annotated[int, Meta(description="The number of the run, from 1.")]


class FailedAttempt(Payload, frozen=True, kw_only=True):
    """A run that did not succeed."""

    attempt: Annotated[int, Meta(description="The number of the attempt, from 1.")]
    run: Run
    worker: Annotated[str | None, Meta(description="The id of the worker that ran it; null if no worker did.")]
    started_at: Annotated[
        Time | None, Meta(description="When the run started, in UTC (RFC 3339); null if it never started.")
    ]
    ended_at: Annotated[Time, Meta(description="When the run ended, in UTC (RFC 3339).")]
    code: Annotated[
        str,
        Meta(
            description="The kind of the failure, or `canceled`.",
            extra_json_schema={"enum": [*map(str, Code), "canceled"]},
        ),
    ]
    error: Annotated[
        str | None, Meta(description="The exception of the function with its text, or a sentence about the failure.")
    ]
    traceback: Annotated[
        str | None,
        Meta(description="The traceback of the exception, at most its last 10,000 characters; null if there is none."),
    ]


class EventKind(StrEnum):
    """What happened to a task."""

    CREATED = "created"
    STARTED = "started"
    FAILED = "failed"
    CANCELED = "canceled"
    FINISHED = "finished"


class TimelineEvent(Payload, frozen=True, kw_only=True):
    """One event in the life of a task."""

    at: Annotated[Time, Meta(description="When it happened, in UTC (RFC 3339).")]
    event: Annotated[
        EventKind,
        Meta(
            description="The task was `created`; or one of its runs `started`, `failed`, was `canceled`, or `finished`."
        ),
    ]
    code: Annotated[Code | UnsetType, Meta(description="The kind of the failure; only with `failed`.")] = UNSET
    run: Annotated[int | None, Meta(description="The number of the run, from 1; null with `created`.")]


class LogLine(Payload, frozen=True, kw_only=True):
    """A line that the function logged."""

    at: Annotated[Time, Meta(description="When the line was stored, in UTC (RFC 3339).")]
    run: Run
    text: Annotated[str, Meta(description="The line, at most 2,000 characters.")]


class TaskDetails(TaskFields, frozen=True, kw_only=True):
    """Everything about a task."""

    index: Annotated[
        int, Meta(description="The position of the task in the array of the request, from 0; 0 for a single task.")
    ]
    data: Data
    description: Annotated[
        str | None, Meta(description="The description of the task in the request; null if the request has none.")
    ]
    parameters: Parameters
    unique_key: Annotated[
        str | None,
        Meta(description="At most one unfinished task of the task type has this key; null if the request has none."),
    ]
    timeout: Annotated[
        float | None,
        Meta(
            description="Seconds that one run may take, as in the request; 0 is no limit; "
            "null if the value of the task type applies."
        ),
    ]
    max_attempts: Annotated[
        int | None,
        Meta(
            description="The maximum number of attempts, as in the request; null if the value of the task type applies."
        ),
    ]
    expires_at: Annotated[
        Time | None,
        Meta(
            description="The task fails if it has not started by this time, in UTC (RFC 3339); "
            "null if it does not expire."
        ),
    ]
    run: Annotated[
        int,
        Meta(
            description="The number of the current or next run, from 1; of the last run if the task has ended. "
            "It grows by one each time that the task returns to the queue."
        ),
    ]
    losses: Annotated[Count, Meta(description="How many processes died while they ran the task.")]
    result: Result
    canceled_by: Annotated[
        str | None,
        Meta(
            description="Who canceled the task: `by` of the cancel request, or else the name of its API key. "
            "Empty if the request had neither; null if the task is not canceled."
        ),
    ]
    cancel_reason: Annotated[
        str | None, Meta(description="`reason` of the cancel request, or empty; null if the task is not canceled.")
    ]
    canceled_key: Annotated[
        str | None,
        Meta(description="The name of the API key of the cancel request; null if there is none."),
    ]
    attempts: Annotated[list[FailedAttempt], Meta(description="The runs that did not succeed, oldest first.")]
    timeline: Annotated[list[TimelineEvent], Meta(description="What happened to the task, oldest first.")]
    log: Annotated[list[LogLine], Meta(description="The last 100 lines that the function logged, oldest first.")]
    on_finished: Followers | UnsetType = UNSET
    parent_batch: Annotated[
        str | UnsetType, Meta(description="The id of the batch that the task follows; only if it follows one.")
    ] = UNSET
    parent: Annotated[
        str | UnsetType, Meta(description="The token of the task that it follows; only if it follows one.")
    ] = UNSET
    webhook: Annotated[
        str | UnsetType, Meta(description="The URL that is told when the task ends; only if the request named one.")
    ] = UNSET
