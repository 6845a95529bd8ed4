"""The page `/dashboard/workers`: the processes by host, with the use of their lanes; add and remove workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from flask import Response, g
from werkzeug.wrappers import Response as BaseResponse

from queue_tool.model.access import Role
from queue_tool.model.heartbeat import Slots
from queue_tool.model.queues import Lane
from queue_tool.model.times import rfc3339
from queue_tool.services.measures.gauges import WorkerState, state_of
from queue_tool.store import WorkerDetails
from queue_tool.web.http.admission import FORM
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import Group
from queue_tool.web.pages.page import OFTEN, back_to, choice, field, last_change, page

PATH = "/dashboard/workers"

pages = Group("workers page", "The processes of the system.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneRow:
    """The use of a lane."""

    lane: Lane
    slots: int
    busy: int

    @property
    def share(self) -> float:
        """Return the part of the slots that is taken."""
        return self.busy / self.slots if self.slots else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A process."""

    worker: WorkerDetails
    state: WorkerState
    started_at: str
    lanes: Sequence[LaneRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The processes of a host, and the use of all their lanes together."""

    name: str
    rows: Sequence[Row]
    lanes: Sequence[LaneRow]


@pages.get(PATH, Role.READ, in_document=False, takes_any_query=True)
def show_workers() -> Response:
    """Show the processes that run tasks, and the others, by host."""
    system = runtime()
    found = sorted(system.gauges.workers(system.clock.now()), key=lambda each: (each.process.host, each.id))
    versions = {each.process.version for each in found if each.process.version}
    return page(
        "workers.html",
        refresh=OFTEN,
        hosts=[_host(name, list(rows)) for name, rows in groupby(found, key=lambda each: each.process.host)],
        supervisors={each.host: each.scale for each in system.scaling()},
        versions=sorted(versions),
        done=last_change("worker_added", "worker_removed"),
    )


@pages.post(PATH, Role.ADMIN, in_document=False, takes=FORM)
def change_workers_by_form() -> BaseResponse:
    """Let a supervisor run one more worker, or one less."""
    adds = choice("action", ("add", "remove")) == "add"
    runtime().scaling.change(field("host"), lambda scale: scale.more(1) if adds else scale.fewer(1), g.key_name)
    return back_to(PATH, done="worker_added" if adds else "worker_removed")


def _host(name: str, workers: Sequence[WorkerDetails]) -> Host:
    rows = [_row(each) for each in workers]
    used = [(lane, slots) for each in workers for lane, slots in each.lanes.items()]
    lanes = [
        LaneRow(
            lane=lane,
            slots=sum(slots.slots for each, slots in used if each is lane),
            busy=sum(slots.busy for each, slots in used if each is lane),
        )
        for lane in Lane
        if any(each is lane for each, _ in used)
    ]
    return Host(name=name, rows=rows, lanes=lanes)


def _row(worker: WorkerDetails) -> Row:
    return Row(
        worker=worker,
        state=state_of(worker),
        started_at=rfc3339(worker.started_at),
        lanes=[_lane(lane, slots) for lane, slots in worker.lanes.items()],
    )


def _lane(lane: Lane, slots: Slots) -> LaneRow:
    return LaneRow(lane=lane, slots=slots.slots, busy=slots.busy)
