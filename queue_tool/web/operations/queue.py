"""`/queue`: waiting tasks; pause and resume a queue."""

from __future__ import annotations

from dataclasses import replace

from queue_tool.errors import QueueNotFound
from queue_tool.model.access import Role
from queue_tool.model.details import QueueCounts
from queue_tool.model.payloads.lists import Queue, QueuePage
from queue_tool.model.payloads.queries import QueueQuery
from queue_tool.model.queues import Priority
from queue_tool.web.http import shapes
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import Group, Reply
from queue_tool.web.http.paging import listed, totals

routes = Group("queues", "Read the waiting tasks and the counts of each queue, pause and resume a queue.")


@routes.get("/queue", Role.READ, errors=(QueueNotFound,))
def list_queue(query: QueueQuery) -> Reply[QueuePage]:
    """List waiting tasks, most urgent and oldest first.

    Workers take the tasks of one batch in this order. Batches of the same priority take turns. `queues` has the counts
    of each queue, also with the parameter `queue`. Tasks that are `scheduled` are not in the list: they wait for their
    time, and not for a worker.
    """
    only = None if query.queue is None else _priority(query.queue)
    page = runtime().list.waiting(only, query.limit, query.cursor)
    tasks = [shapes.summary(task) for task in page.items]
    return listed(QueuePage(items=tasks, queues=[_shown(counts) for counts in page.queues], **totals(page)))


@routes.post("/queue/<name>/pause", Role.ADMIN, errors=(QueueNotFound,))
def pause_queue(name: str) -> Queue:
    """Pause a queue.

    From now on none of its waiting tasks start. Running tasks continue, and new tasks are still accepted. A queue that
    is already paused keeps its `paused_at`.
    """
    priority = _priority(name)
    before = _counts_of(priority)
    paused_at = runtime().pause(priority)
    return _shown(replace(before, paused_at=before.paused_at or paused_at))


@routes.post("/queue/<name>/resume", Role.ADMIN, errors=(QueueNotFound,))
def resume_queue(name: str) -> Queue:
    """Resume a queue.

    Its waiting tasks start again. A queue that is not paused stays as it is.
    """
    priority = _priority(name)
    before = _counts_of(priority)
    runtime().pause.resume(priority)
    return _shown(replace(before, paused_at=None))


def _counts_of(priority: Priority) -> QueueCounts:
    """Return the counts of a queue. They are read before a change, because the database may be away after it."""
    (found,) = (counts for counts in runtime().list.queues() if counts.priority is priority)
    return found


def _shown(counts: QueueCounts) -> Queue:
    return shapes.queue(counts, runtime().clock.now())


def _priority(name: str) -> Priority:
    for priority in Priority:
        if name == priority.queue:
            return priority
    raise QueueNotFound(
        f"There is no queue with this name. The queues are {', '.join(priority.queue for priority in Priority)}."
    )
