"""The pages of the lists of tasks, batches, queues and task types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from queue_tool.model.payloads.batches import BatchSummary
from queue_tool.model.payloads.fields import Count, JsonSchema, Payload, Time, TypeName
from queue_tool.model.payloads.page import Page
from queue_tool.model.payloads.tasks import EndedTask, TaskSummary
from queue_tool.model.queues import Lane, Priority


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
            description="The name of the queue. The queue of the priority `normal` is `default`.",
            extra_json_schema={"enum": [priority.queue for priority in Priority]},
        ),
    ]
    priority: Annotated[Priority, Meta(description="The priority of the tasks in the queue.")]
    waiting: Annotated[Count, Meta(description="How many tasks wait for a worker.")]
    running: Annotated[Count, Meta(description="How many tasks run now.")]
    oldest: Annotated[
        Time | None,
        Meta(description="When the oldest waiting task was created, in UTC (RFC 3339); null if no task waits."),
    ]
    age: Annotated[
        float | None, Meta(description="Seconds since the oldest waiting task was created; null if no task waits.")
    ]
    paused: Annotated[bool, Meta(description="True while the queue is paused: none of its waiting tasks start.")]
    paused_at: Annotated[
        Time | None, Meta(description="When the queue was paused, in UTC (RFC 3339); null if it is not paused.")
    ]


class QueuePage(TaskPage, frozen=True, kw_only=True):
    """One page of waiting tasks, with the counts of all queues."""

    queues: Annotated[Sequence[Queue], Meta(description="The state of each queue, the most urgent first.")]


class TaskType(Payload, frozen=True, kw_only=True):
    """A task type."""

    name: TypeName
    description: Annotated[str, Meta(description="What the function does.")]
    schema: JsonSchema
    priority: Annotated[Priority, Meta(description="The priority of a task whose request has none.")]
    lane: Annotated[
        Lane,
        Meta(description="How the function runs: on the event `loop`, in `threads`, or `isolated` in its own process."),
    ]
    timeout: Annotated[
        float | None,
        Meta(description="Seconds that one run may take; 0 is no limit; null if it depends on the data."),
    ]
    max_attempts: Annotated[int, Meta(description="The maximum number of attempts of a task whose request has none.")]


class TaskTypePage(Page[TaskType], frozen=True, kw_only=True):
    """All task types, by name."""
