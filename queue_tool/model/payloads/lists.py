"""Pages of lists. All lists have one form: `items`, `next`, and `total`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Generic, Literal, TypeVar

from msgspec import UNSET, Meta, UnsetType

from queue_tool.model.payloads.batches import BatchSummary
from queue_tool.model.payloads.fields import Count, Payload, Seconds, TimeOrNone, TypeName
from queue_tool.model.payloads.tasks import EndedTask, TaskSummary
from queue_tool.model.queues import Lane, Priority

Element = TypeVar("Element")


class Page(Payload, Generic[Element], frozen=True, kw_only=True):
    """One page of a list."""

    items: Sequence[Element]
    next: Annotated[str | None, Meta(description="The `cursor` of the next page; null on the last page.")]
    total: Annotated[Count, Meta(description="How many items the whole list has.")]
    total_is: Annotated[
        Literal["at least"] | UnsetType, Meta(description="There if the list has more than `total` items.")
    ] = UNSET


class TaskPage(Page[TaskSummary], frozen=True, kw_only=True):
    """One page of tasks."""


class EndedTaskPage(Page[EndedTask], frozen=True, kw_only=True):
    """One page of ended tasks, with their results."""


class BatchPage(Page[BatchSummary], frozen=True, kw_only=True):
    """One page of batches."""


class Queue(Payload, frozen=True, kw_only=True):
    """The state of a queue."""

    name: Annotated[
        str,
        Meta(
            description="The name of the queue, as RQ shows it.",
            extra_json_schema={"enum": [priority.queue for priority in Priority]},
        ),
    ]
    priority: Priority
    waiting: Annotated[Count, Meta(description="The tasks that wait for a worker.")]
    running: Annotated[Count, Meta(description="The tasks that run.")]
    oldest: TimeOrNone
    age: Annotated[float | None, Meta(description="Seconds for which the oldest task has waited; null if none waits.")]
    paused: bool
    paused_at: TimeOrNone


class QueuePage(TaskPage, frozen=True, kw_only=True):
    """One page of waiting tasks, with the counts of all queues."""

    queues: Sequence[Queue]


class TaskType(Payload, frozen=True, kw_only=True):
    """A task type."""

    name: TypeName
    description: str
    schema: Annotated[dict[str, Any] | bool, Meta(description="The JSON Schema (2020-12) of the data.")]
    priority: Priority
    lane: Annotated[Lane, Meta(description="How its function runs.")]
    timeout: Annotated[
        Seconds | None, Meta(description="Seconds that one run may take; 0: no limit; null: it depends on the data.")
    ]
    max_attempts: int


class TaskTypePage(Page[TaskType], frozen=True, kw_only=True):
    """All task types, by name."""
