"""The data of the events that `GET /events` sends."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from queue_tool.model.payloads.fields import BatchId, BatchOrNone, Payload, Time, Token, TypeName
from queue_tool.model.states import Code, State


class EndedTaskEvent(Payload, frozen=True, kw_only=True):
    """The data of `task.finished`, `task.failed` and `task.canceled`."""

    token: Token
    batch: BatchOrNone
    task_type: TypeName
    status: Annotated[State, Meta(description="How the task ended.")]
    code: Annotated[Code | UnsetType, Meta(description="Why the task failed; only if it failed.")] = UNSET


class FinishedBatchEvent(Payload, frozen=True, kw_only=True):
    """The data of `batch.finished`."""

    batch: BatchId
    finished_at: Annotated[Time, Meta(description="When the batch finished, in UTC (RFC 3339).")]


class ResetEvent(Payload, frozen=True, kw_only=True):
    """The data of `reset`."""

    message: Annotated[str, Meta(description="What the client must do.")]
