"""`/workers`: the processes that run tasks."""

from __future__ import annotations

from queue_tool.model.access import Role
from queue_tool.model.payloads.workers import LaneUse, WorkerPage, WorkerSummary
from queue_tool.model.times import rfc3339
from queue_tool.services.measures.gauges import state_of
from queue_tool.store import WorkerDetails
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import Group

routes = Group("workers", "Read which processes run tasks.")


@routes.get("/workers", Role.READ)
def list_workers() -> WorkerPage:
    """List the workers.

    Returns all live ones on one page. Each worker reports its lanes and its counts every five seconds. A worker that
    was killed disappears within a second, if this service runs on its host, and else within a minute.
    """
    found = [_shown(worker) for worker in runtime().gauges.workers(runtime().clock.now())]
    return WorkerPage(items=found, next=None, total=len(found))


def _shown(worker: WorkerDetails) -> WorkerSummary:
    process = worker.process
    return WorkerSummary(
        id=process.name or None,
        kind=process.kind,
        state=state_of(worker).value,
        trouble=worker.trouble,
        host=process.host,
        pid=process.pid,
        version=process.version,
        started_at=rfc3339(worker.started_at),
        heartbeat_age=worker.silence,
        running=worker.running,
        finished=worker.finished,
        failed=worker.failed,
        lanes=[
            LaneUse(lane=lane, slots=use.slots, busy=use.busy, share=use.busy / use.slots if use.slots else 0.0)
            for lane, use in worker.lanes.items()
        ],
    )
