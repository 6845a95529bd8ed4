"""Batches in answers: what became of each element of a request, and the counts of a batch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from queue_tool.model.batch import INVALID
from queue_tool.model.payloads.fields import BatchId, Count, Item, Payload, Time, TimeOrNone
from queue_tool.model.payloads.tasks import Name, OwnId
from queue_tool.model.states import FINISHED, IN_PROGRESS

ElementStatus = Literal["scheduled", "queued", "running", "finished", "failed", "canceled", "rejected"]
"""The states of a task, and that of an element that was refused."""


class FieldProblem(Payload, frozen=True, kw_only=True):
    """One reason why an element was refused."""

    path: Annotated[str, Meta(description="The place in the element: a JSON Pointer (RFC 6901).")]
    message: str


class ReceivedElement(Payload, frozen=True, kw_only=True):
    """What became of one element: a task, or a refusal with its reasons."""

    hash: Annotated[
        str, Meta(description=f"The token of the task, under the name that an earlier system gave it; or `{INVALID}`.")
    ]
    index: Annotated[int, Meta(description="The position in the array of the request, from 0.", ge=0)]
    item: Annotated[Any, Meta(description="The key `item` of the element; null if there is none.")]
    errors: Annotated[
        list[FieldProblem] | UnsetType, Meta(description="Why the element was refused; only if it was.")
    ] = UNSET
    custom_id: Annotated[
        str | UnsetType, Meta(description="The id that the client gave to the task; only if it gave one.")
    ] = UNSET
    duplicate_of: Annotated[
        str | UnsetType, Meta(description="The token of the unfinished task that already uses the `unique_key`.")
    ] = UNSET


class Received(Payload, frozen=True, kw_only=True):
    """What became of the elements of a request, in its order."""

    message: Literal["Itens recebidos para processamento"] = "Itens recebidos para processamento"
    processing_items: list[ReceivedElement]
    batch: Annotated[str | UnsetType, Meta(description="The id of the batch; not there if nothing was kept.")] = UNSET
    removed: Annotated[
        int | UnsetType,
        Meta(description="How many elements a repeated request cannot list, because their tasks were removed since."),
    ] = UNSET


class BatchCounts(Payload, frozen=True, kw_only=True):
    """How many elements of a batch are in each state. They sum up to `total`."""

    scheduled: Count
    queued: Count
    running: Count
    finished: Count
    failed: Count
    canceled: Count
    rejected: Count


class BatchSummary(Payload, frozen=True, kw_only=True):
    """A batch in a list."""

    id: BatchId
    message: Annotated[str, Meta(description=f"In Portuguese: `{IN_PROGRESS}` until all has ended, then `{FINISHED}`.")]
    status: Annotated[Literal["running", "finished"], Meta(description="`finished` when all its tasks have ended.")]
    name: Name
    metadata: Annotated[dict[str, str], Meta(description="The labels that the client gave to the batch.")]
    total: Annotated[Count, Meta(description="The elements of the request: `accepted` + `rejected`.")]
    accepted: Annotated[Count, Meta(description="The elements that became tasks.")]
    rejected: Annotated[Count, Meta(description="The elements that were refused.")]
    progress: Annotated[float, Meta(description="From 0 to 1: the part of the elements that is over.")]
    created_at: Time
    finished_at: TimeOrNone
    open: Annotated[int, Meta(description="The tasks that have not ended.", ge=0)]


class Batch(BatchSummary, frozen=True, kw_only=True):
    """A batch with its counts."""

    counts: BatchCounts


class BatchResult(Payload, frozen=True, kw_only=True):
    """One line of the results of a batch."""

    index: Annotated[
        int | None,
        Meta(description="The position in the array; null in a last line about an error."),
    ]
    custom_id: OwnId
    item: Item
    token: Annotated[str | None, Meta(description="The token of the task; null if the element was refused.")]
    status: Annotated[ElementStatus | None, Meta(description="The state of the task; `rejected`: there is none.")]
    result: Annotated[Any, Meta(description="What the function returned; null until it has.")]
    error: Annotated[
        dict[str, Any] | None, Meta(description="Why there is no result: `code`, and `message` or `errors`.")
    ]
