"""`queue-tool schedules`: what the service sends again and again."""

from __future__ import annotations

import click

from queue_tool.cli.client import lists
from queue_tool.cli.client.ending import ClientGroup, ExitCode, leave
from queue_tool.cli.client.options import as_json, paged
from queue_tool.cli.client.screen import Columns, Screen, moment
from queue_tool.cli.client.service import connect
from queue_tool.model.payloads.schedules import ScheduleDetails
from queue_tool.model.schedule import TickResult

COLUMNS: Columns = {
    "schedule": lambda schedule: schedule.id,
    "status": lambda schedule: schedule.status,
    "type": lambda schedule: schedule.task_type,
    "next": lambda schedule: moment(schedule.next_at),
    "name": lambda schedule: schedule.name,
    "when": lambda schedule: schedule.words,
}

ID = "01a2171f18857a0bb04b6fac08924c5e"
SCHEDULE = click.argument("schedule")


@click.group(cls=ClientGroup)
def schedules() -> None:
    """List, show, pause, resume and run schedules."""


@schedules.command("list", example="queue-tool schedules")
@paged
@as_json
def list_schedules(limit: int, everything: bool, as_json: bool) -> None:
    """Print schedules. This is also what `queue-tool schedules` does."""
    with connect() as client:
        found = client.schedules(limit=lists.page_size(limit, everything))
        lists.show(found, COLUMNS, limit=limit, everything=everything, as_json=as_json)


@schedules.command("show", example=f"queue-tool schedules show {ID}")
@SCHEDULE
@as_json
def show_schedule(schedule: str, as_json: bool) -> None:
    """Print a schedule with what it sends and its next ticks."""
    with connect() as client:
        found = client.get_schedule(schedule)
    if as_json:
        lists.document(found)
    else:
        Screen().fields(_fields(found))


def _fields(found: ScheduleDetails) -> dict[str, object]:
    """Return what is known about a schedule, by its names in the API."""
    return {
        "id": found.id,
        "name": found.name,
        "status": found.status,
        "task_type": found.task_type,
        "words": found.words,
        "timezone": found.timezone,
        "overlap": found.overlap,
        "catch_up": found.catch_up,
        "in_code": found.in_code,
        "last_at": moment(found.last_at),
        "ticks": found.ticks,
        "request": found.request,
        "upcoming": " ".join(filter(None, map(moment, found.upcoming))) or None,
    }


@schedules.command("pause", example=f"queue-tool schedules pause {ID}")
@SCHEDULE
@as_json
def pause_schedule(schedule: str, as_json: bool) -> None:
    """Pause a schedule: it makes no ticks until it is resumed."""
    with connect() as client:
        found = client.pause_schedule(schedule)
    lists.answer(found, f"The schedule is {found.status}.", as_json=as_json)


@schedules.command("resume", example=f"queue-tool schedules resume {ID}")
@SCHEDULE
@as_json
def resume_schedule(schedule: str, as_json: bool) -> None:
    """Resume a paused schedule."""
    with connect() as client:
        found = client.resume_schedule(schedule)
    sentence = f"The schedule is {found.status}. Its next tick: {moment(found.next_at) or 'none'}."
    lists.answer(found, sentence, as_json=as_json)


@schedules.command("run", example=f"queue-tool schedules run {ID}")
@SCHEDULE
@as_json
def run_schedule(schedule: str, as_json: bool) -> None:
    """Send what a schedule sends now, besides its ticks. The exit code is 1 if it sent nothing."""
    with connect() as client:
        tick = client.run_schedule(schedule)
    what = f"task {tick.token}" if tick.token else f"batch {tick.batch}" if tick.batch else tick.error or ""
    lists.answer(tick, f"{tick.result}: {what}" if what else f"{tick.result}", as_json=as_json)
    leave(ExitCode.DONE if tick.result is TickResult.SENT else ExitCode.FAILED)
