"""Workers in answers: the processes that run tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta

from queue_tool.model.payloads.fields import Count, Payload, Time
from queue_tool.model.payloads.page import Page
from queue_tool.model.payloads.scaling import SupervisorSummary
from queue_tool.model.queues import Lane


class LaneUse(Payload, frozen=True, kw_only=True):
    """The slots of a lane of one worker, at its last heartbeat."""

    lane: Annotated[Lane, Meta(description="The lane.")]
    slots: Annotated[Count, Meta(description="How many functions may run there at the same time.")]
    busy: Annotated[Count, Meta(description="How many of these slots were taken.")]
    share: Annotated[float, Meta(description="`busy` / `slots`, from 0 to 1; 0 without slots.")]


class WorkerSummary(Payload, frozen=True, kw_only=True):
    """A process that runs tasks."""

    id: Annotated[
        str | None,
        Meta(
            description="Its name in Redis, for the filter `worker` of `GET /tasks`; null if RQ's own worker runs it."
        ),
    ]
    kind: Annotated[str, Meta(description="What the process is, for example `worker`.")]
    state: Annotated[
        Literal["idle", "busy", "silent", "troubled"],
        Meta(
            description="`idle`, `busy` with at least one task, `silent` if its heartbeats do not arrive, or "
            "`troubled` if it cannot do its work."
        ),
    ]
    trouble: Annotated[str | None, Meta(description="Why it cannot do its work; null if it can.")]
    host: Annotated[str, Meta(description="The name of its host.")]
    pid: Annotated[int, Meta(description="Its process id on this host.")]
    version: Annotated[str | None, Meta(description="The version of its program; null if it is not known.")]
    started_at: Annotated[Time, Meta(description="When it has started, in UTC (RFC 3339).")]
    heartbeat_age: Annotated[
        float | None, Meta(description="Seconds since its last heartbeat; null before the first one.")
    ]
    running: Annotated[Count, Meta(description="How many tasks run there now.")]
    finished: Annotated[Count, Meta(description="How many tasks have finished there until its last heartbeat.")]
    failed: Annotated[Count, Meta(description="How many tasks have failed there until its last heartbeat.")]
    lanes: Annotated[
        Sequence[LaneUse],
        Meta(description="The use of its lanes; empty before the first heartbeat, and for RQ's own workers."),
    ]


class WorkerPage(Page[WorkerSummary], frozen=True, kw_only=True):
    """All workers, the oldest first, and the supervisors that run some of them."""

    supervisors: Annotated[
        Sequence[SupervisorSummary],
        Meta(description="The supervisors that live, by host. Workers that were started by themselves have none."),
    ]
