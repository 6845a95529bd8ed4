"""Tasks in answers, under the names of an earlier system, which called them jobs."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from queue_tool.model.payloads.fields import Created, Payload, Started, TaskId
from queue_tool.model.payloads.tasks import Data, Error, Result, Status


class Job(Payload, frozen=True, kw_only=True):
    """The token of a new task."""

    job_id: TaskId


class JobStatus(Job, frozen=True, kw_only=True):
    """The token and the state of a task."""

    job_status: Status


class JobResult(Job, frozen=True, kw_only=True):
    """The result of an ended task."""

    job_enqueued_at: Created
    job_started_at: Annotated[
        Started, Meta(description="When the last run started, in UTC (RFC 3339); null if the task never started.")
    ]
    input: Data
    result: Result
    status: Status
    error: Error
