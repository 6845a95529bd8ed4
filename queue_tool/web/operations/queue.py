"""`/queue`: waiting tasks; pause and resume a queue."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response

from queue_tool.errors import QueueNotFound
from queue_tool.model.access import Role
from queue_tool.model.details import QueueCounts
from queue_tool.model.queues import Priority
from queue_tool.web.http import shapes
from queue_tool.web.http.admission import needs
from queue_tool.web.http.answers import answer, runtime
from queue_tool.web.http.orders import small_object
from queue_tool.web.http.paging import listed
from queue_tool.web.http.query import PAGING, limit_of, parameters

routes = Blueprint("queue", __name__)


@routes.get("/queue")
@needs(Role.READ)
def waiting() -> Response:
    """List tasks that wait for a worker, in the order in which workers take them, with the counts of each queue."""
    query = parameters("queue", *PAGING)
    only = _priority(query["queue"]) if "queue" in query else None
    page = runtime().list.waiting(only, limit_of(query), query.get("cursor"))
    queues = [_shown(counts) for counts in page.queues]
    return listed([shapes.summary(task) for task in page.items], page.next, total=page.total, queues=queues)


@routes.post("/queue/<name>/pause")
@needs(Role.ADMIN)
def pause(name: str) -> Response:
    """Pause a queue: no more of its tasks start; running tasks continue."""
    parameters()
    small_object()
    priority = _priority(name)
    before = _counts_of(priority)
    paused_at = runtime().pause(priority)
    return answer(_shown(replace(before, paused_at=before.paused_at or paused_at)))


@routes.post("/queue/<name>/resume")
@needs(Role.ADMIN)
def resume(name: str) -> Response:
    """Resume a queue: its tasks start again."""
    parameters()
    small_object()
    priority = _priority(name)
    before = _counts_of(priority)
    runtime().pause.resume(priority)
    return answer(_shown(replace(before, paused_at=None)))


def _counts_of(priority: Priority) -> QueueCounts:
    """Return the counts of a queue. They are read before a change, because the database may be away after it."""
    (found,) = (counts for counts in runtime().list.queues() if counts.priority is priority)
    return found


def _shown(counts: QueueCounts) -> dict[str, object]:
    return shapes.queue(
        counts, max(0.0, (runtime().clock.now() - counts.oldest).total_seconds()) if counts.oldest else None
    )


def _priority(name: str) -> Priority:
    for priority in Priority:
        if name == priority.queue:
            return priority
    raise QueueNotFound(
        f"There is no queue with this name. The queues are {', '.join(priority.queue for priority in Priority)}."
    )
