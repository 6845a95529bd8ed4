"""`/workers`: the processes that run tasks, and how many of them a supervisor runs."""

from __future__ import annotations

from collections.abc import Callable

from flask import g
from msgspec import UNSET, structs

from queue_tool.errors import BadRequest, HostNotFound, NoSupervisor, OutOfBounds, SeveralSupervisors
from queue_tool.model.access import Role
from queue_tool.model.payloads.scaling import (
    CountBody,
    CountQuery,
    HostQuery,
    ScaleBody,
    ScaledSupervisor,
    SupervisorSummary,
)
from queue_tool.model.payloads.workers import LaneUse, WorkerPage, WorkerSummary
from queue_tool.model.scale import Scale
from queue_tool.model.times import rfc3339
from queue_tool.services.measures.gauges import state_of
from queue_tool.store import WorkerDetails
from queue_tool.store.supervisors import Supervisor
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import Group

CHANGES = (NoSupervisor, SeveralSupervisors, HostNotFound, OutOfBounds)
"""The errors of a change."""

routes = Group("workers", "Read which processes run tasks, and change how many of them a supervisor runs.")


@routes.get("/workers", Role.READ)
def list_workers() -> WorkerPage:
    """List the workers.

    Returns all live ones on one page. Each worker reports its lanes and its counts every five seconds. A worker that
    was killed disappears within a second, if this service runs on its host, and else within a minute.
    """
    system = runtime()
    found = [_shown(worker) for worker in system.gauges.workers(system.clock.now())]
    supervisors = [_summary(each) for each in system.scaling()]
    return WorkerPage(items=found, next=None, total=len(found), supervisors=supervisors)


@routes.post("/workers/add", Role.ADMIN, errors=CHANGES)
def add_workers(query: CountQuery, body: CountBody) -> ScaledSupervisor:
    """Add workers.

    The supervisor starts them at once if it runs on this host, and else within a second or two. Other supervisors, and
    workers that were started by themselves, stay as they are.
    """
    count = query.count if body.count is UNSET else body.count
    return _changed(query, lambda scale: scale.more(count), "Workers added")


@routes.post("/workers/remove", Role.ADMIN, errors=CHANGES)
def remove_workers(query: CountQuery, body: CountBody) -> ScaledSupervisor:
    """Remove workers.

    Those with the fewest running tasks drain and end, all at the same time: they take no more tasks, and what they run
    gets `QUEUE_TOOL_DRAIN` seconds. What is left then runs again on another worker, and loses no attempt.
    """
    count = query.count if body.count is UNSET else body.count
    return _changed(query, lambda scale: scale.fewer(count), "Workers removed")


@routes.put("/workers", Role.ADMIN, errors=CHANGES)
def scale_workers(query: HostQuery, body: ScaleBody) -> ScaledSupervisor:
    """Set the number of workers and its bounds.

    `automatic` lets the supervisor itself change the number between the bounds, by the load. All values are kept when
    the supervisor starts again, until another request changes them, or until its settings `QUEUE_TOOL_WORKERS` or
    `QUEUE_TOOL_MAX_WORKERS` change.
    """
    if not body.changes:
        raise BadRequest("Send at least one of minimum, maximum, wanted and automatic.")
    return _changed(query, lambda scale: scale.changed(**body.changes), "Worker pool configuration updated")


def _changed(query: HostQuery, change: Callable[[Scale], Scale], status: str) -> ScaledSupervisor:
    changed = _summary(runtime().scaling.change(query.host, change, g.key_name))
    return ScaledSupervisor(**structs.asdict(changed), status=status)


def _summary(supervisor: Supervisor) -> SupervisorSummary:
    scale = supervisor.scale
    return SupervisorSummary(
        host=supervisor.host,
        minimum=scale.minimum,
        maximum=scale.maximum,
        wanted=scale.wanted,
        running=supervisor.running,
        draining=supervisor.draining,
        automatic=scale.automatic,
    )


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
