"""`/schedules`: tasks and batches that are sent again and again."""

from __future__ import annotations

from queue_tool.errors import BadSchedule, BadTask, ScheduleInCode, ScheduleNotFound
from queue_tool.model.access import Role
from queue_tool.model.payloads.queries import Paging
from queue_tool.model.payloads.schedules import (
    ScheduleBody,
    ScheduleDetails,
    SchedulePage,
    TickPage,
    TickShown,
)
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import Group, Reply
from queue_tool.web.http.paging import listed, totals
from queue_tool.web.http.schedule_shapes import details, summary, tick

CREATED = 201

routes = Group("schedules", "Send tasks and batches again and again: by a cron expression, or at equal intervals.")


@routes.post("/schedules", Role.ADMIN, status=CREATED, headers=("Location",), errors=(BadSchedule, BadTask))
def make_schedule(body: ScheduleBody) -> Reply[ScheduleDetails]:
    """Make a schedule.

    Each time that it is due is a tick. A tick sends one task, or with `elements` one batch. The data is checked now,
    and again at each tick. However many sweepers run, each tick is made once.
    """
    made = runtime().schedules.make(body)
    return Reply(body=details(made), status=CREATED, headers={"Location": f"/schedules/{made.id}"})


@routes.get("/schedules", Role.READ)
def list_schedules(query: Paging) -> Reply[SchedulePage]:
    """List schedules, newest first.

    The list has those that are declared in code too.
    """
    page = runtime().schedules(query.limit, query.cursor)
    return listed(SchedulePage(items=[summary(each) for each in page.items], **totals(page)))


@routes.get("/schedules/<schedule>", Role.READ, errors=(ScheduleNotFound,))
def get_schedule(schedule: str) -> ScheduleDetails:
    """Read a schedule, with its next ten ticks.

    `words` says in English when it is due.
    """
    return details(runtime().schedules.get(schedule))


@routes.put("/schedules/<schedule>", Role.ADMIN, errors=(ScheduleNotFound, ScheduleInCode, BadSchedule, BadTask))
def change_schedule(schedule: str, body: ScheduleBody) -> ScheduleDetails:
    """Change a schedule.

    The body replaces all of it. Its next tick is the first one after now. A paused schedule stays paused.
    """
    return details(runtime().schedules.change(schedule, body))


@routes.delete("/schedules/<schedule>", Role.ADMIN, errors=(ScheduleNotFound, ScheduleInCode))
def delete_schedule(schedule: str) -> ScheduleDetails:
    """Delete a schedule.

    The answer shows it for the last time. The tasks and batches that it has sent stay.
    """
    schedules = runtime().schedules
    found = schedules.get(schedule)
    schedules.remove(schedule)
    return details(found)


@routes.post("/schedules/<schedule>/pause", Role.ADMIN, errors=(ScheduleNotFound,))
def pause_schedule(schedule: str) -> ScheduleDetails:
    """Pause a schedule.

    It has no ticks until it is resumed.
    """
    return details(runtime().schedules.pause(schedule))


@routes.post("/schedules/<schedule>/resume", Role.ADMIN, errors=(ScheduleNotFound,))
def resume_schedule(schedule: str) -> ScheduleDetails:
    """Resume a schedule.

    Its next tick is the first one after now. The ticks while it was paused are not made.
    """
    return details(runtime().schedules.resume(schedule))


@routes.post("/schedules/<schedule>/run", Role.ADMIN, errors=(ScheduleNotFound,))
def run_schedule(schedule: str) -> TickShown:
    """Make a tick of a schedule now.

    It sends what each tick sends, also if the schedule is paused, and while what the tick before it sent is not
    finished. The next tick stays where it is.
    """
    return tick(runtime().schedules.run(schedule))


@routes.get("/schedules/<schedule>/ticks", Role.READ, errors=(ScheduleNotFound,))
def list_ticks(schedule: str, query: Paging) -> Reply[TickPage]:
    """List the ticks of a schedule, newest first.

    The last hundred are kept. `GET /tasks?tag=schedule:<id>` lists all tasks that it has sent, and
    `GET /batches?metadata.schedule=<id>` all batches.
    """
    page = runtime().schedules.ticks(schedule, query.limit, query.cursor)
    return listed(TickPage(items=[tick(each) for each in page.items], **totals(page)))
