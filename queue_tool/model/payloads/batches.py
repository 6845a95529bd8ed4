"""Batches in answers: what became of each element of a request, and the counts of a batch."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from queue_tool.model.batch import INVALID, SealedBy
from queue_tool.model.payloads.fields import BatchId, Count, Item, Labels, Payload, Time
from queue_tool.model.payloads.tasks import Followers, OwnId
from queue_tool.model.states import FINISHED, IN_PROGRESS


class ElementStatus(StrEnum):
    """The state of an element: that of its task, or `rejected` if it was refused."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELED = "canceled"
    REJECTED = "rejected"


class BatchStatus(StrEnum):
    """The state of a batch: `finished` if all its tasks have ended, else `running`."""

    RUNNING = "running"
    FINISHED = "finished"


class FieldProblem(Payload, frozen=True, kw_only=True):
    """One reason why an element was refused."""

    path: Annotated[str, Meta(description="The place of the wrong value in the element, as a JSON Pointer (RFC 6901).")]
    message: Annotated[str, Meta(description="What is wrong with this value.")]


class ReceivedElement(Payload, frozen=True, kw_only=True):
    """The result of one element: the token of its task, or the reasons of its refusal."""

    hash: Annotated[
        str,
        Meta(
            description="The token of the task, under the name that an earlier system gave it; "
            f"`{INVALID}` if the element was refused."
        ),
    ]
    index: Annotated[int, Meta(description="The position of the element in the batch, from 0.", ge=0)]
    item: Annotated[
        Any, Meta(description="The value of the key `item` in the element; null if the element has no such key.")
    ]
    errors: Annotated[
        list[FieldProblem] | UnsetType, Meta(description="Why the element was refused; only in a refused element.")
    ] = UNSET
    custom_id: Annotated[
        str | UnsetType, Meta(description="The `custom_id` in the request; only if the request has one.")
    ] = UNSET
    duplicate_of: Annotated[
        str | UnsetType,
        Meta(
            description="The token of the unfinished task that already uses the `unique_key`; "
            "only if the element was refused for this reason."
        ),
    ] = UNSET


class Received(Payload, frozen=True, kw_only=True):
    """The result of each element of a request."""

    message: Annotated[
        Literal["Itens recebidos para processamento"], Meta(description="Always this sentence, in Portuguese.")
    ] = "Itens recebidos para processamento"
    processing_items: Annotated[
        list[ReceivedElement], Meta(description="One entry for each element, in the order of the request.")
    ]
    batch: Annotated[str | UnsetType, Meta(description="The id of the batch; missing if nothing was stored.")] = UNSET
    removed: Annotated[
        int | UnsetType,
        Meta(
            description="How many elements the answer lacks, because their tasks were deleted since; "
            "only if a request with an `Idempotency-Key` was repeated."
        ),
    ] = UNSET
    total: Annotated[
        Count | UnsetType,
        Meta(description="How many elements the open batch has after this request; only in its answers."),
    ] = UNSET


class KeptElements(Payload, frozen=True, kw_only=True):
    """A page of the elements of a batch, as the answers to their requests listed them."""

    items: Annotated[list[ReceivedElement], Meta(description="The elements, in the order of the batch.")]
    next: Annotated[
        int | None, Meta(description="The value of the parameter `from` for the next page; null on the last page.")
    ]


class BatchCounts(Payload, frozen=True, kw_only=True):
    """How many elements of a batch are in each state. The sum is `total`."""

    scheduled: Annotated[Count, Meta(description="Tasks that wait for their time, or for their next attempt.")]
    queued: Annotated[Count, Meta(description="Tasks that wait for a worker.")]
    running: Annotated[Count, Meta(description="Tasks that run now.")]
    finished: Annotated[Count, Meta(description="Tasks that ended with a result.")]
    failed: Annotated[Count, Meta(description="Tasks that ended with an error.")]
    canceled: Annotated[Count, Meta(description="Tasks that a request canceled.")]
    rejected: Annotated[Count, Meta(description="Elements that were refused. They have no task.")]


class BatchSummary(Payload, frozen=True, kw_only=True):
    """A batch in a list."""

    id: BatchId
    message: Annotated[
        str,
        Meta(description=f"The status in Portuguese: `{IN_PROGRESS}` while it is `running`, then `{FINISHED}`."),
    ]
    status: Annotated[
        BatchStatus,
        Meta(
            description="`finished` if all tasks have ended, even if some failed or were canceled, "
            "and the batch is sealed; else `running`."
        ),
    ]
    name: Annotated[str | None, Meta(description="The name of the batch in the request; null if it has none.")]
    metadata: Labels
    total: Annotated[
        Count, Meta(description="How many elements were sent: `accepted` plus `rejected`. It grows until `sealed`.")
    ]
    accepted: Annotated[Count, Meta(description="How many elements became tasks.")]
    rejected: Annotated[Count, Meta(description="How many elements were refused.")]
    progress: Annotated[
        float, Meta(description="The share of the elements that have ended or were refused, from 0 to 1.")
    ]
    created_at: Annotated[Time, Meta(description="When the batch was created, in UTC (RFC 3339).")]
    finished_at: Annotated[
        Time | None,
        Meta(description="When the last task of the batch ended, in UTC (RFC 3339); null while `status` is `running`."),
    ]
    open: Annotated[Count, Meta(description="How many tasks of the batch have not ended.")]
    sealed: Annotated[
        bool, Meta(description="False while the batch takes more elements: see `POST /batches/{batch}/elements`.")
    ]
    sealed_by: Annotated[
        SealedBy | None,
        Meta(
            description="What sealed an open batch: a `request`, a `cancel` of the batch, or the `sweeper`, because "
            "the batch got no elements for 24 hours. Null if it is not sealed, or was never open."
        ),
    ]


class Batch(BatchSummary, frozen=True, kw_only=True):
    """A batch with its counts."""

    counts: Annotated[BatchCounts, Meta(description="How many elements are in each state.")]
    on_finished: Followers | UnsetType = UNSET


class ElementError(Payload, frozen=True, kw_only=True):
    """Why an element has no result."""

    code: Annotated[str, Meta(description="The code of the failed task; `rejected` if the element was refused.")]
    message: Annotated[
        str | UnsetType | None, Meta(description="The error of the function, or a sentence about the failure.")
    ] = UNSET
    errors: Annotated[
        list[FieldProblem] | UnsetType, Meta(description="Why the element was refused; only if it was.")
    ] = UNSET

    def __str__(self) -> str:
        """Return the code and the reason in one line, for people."""
        reasons = [] if self.errors is UNSET else [f"{each.path} {each.message}".strip() for each in self.errors]
        reason = "; ".join(reasons) or self.message
        return f"{self.code}: {reason}" if reason else self.code


class BatchResult(Payload, frozen=True, kw_only=True):
    """One line of the results of a batch: one element."""

    index: Annotated[
        int | None,
        Meta(
            description="The position of the element in the batch, from 0; "
            "null in the last line of a stream that an error has cut off."
        ),
    ]
    custom_id: OwnId
    item: Item
    token: Annotated[str | None, Meta(description="The token of the task; null if the element was refused.")]
    status: Annotated[
        ElementStatus | None,
        Meta(
            description="The state of the task; `rejected` if the element was refused; null in a line about an error."
        ),
    ]
    result: Annotated[Any, Meta(description="The result of the function; null until the task has finished.")]
    error: Annotated[
        ElementError | None,
        Meta(
            description="Why there is no result: `code` with `message`, or with `errors` if the element was refused. "
            "Null if nothing failed."
        ),
    ]
