"""`queue-tool schedules`: what the service sends again and again."""

from __future__ import annotations

from typing import Any

import click

from queue_tool.cli.client import lists
from queue_tool.cli.client.asking import require_yes, without_asking
from queue_tool.cli.client.ending import ClientGroup, ExitCode, leave, tell
from queue_tool.cli.client.options import as_json, duration, instant, json, paged
from queue_tool.cli.client.screen import Columns, Screen, moment
from queue_tool.cli.client.service import connect
from queue_tool.model.payloads.schedules import ScheduleDetails
from queue_tool.model.queues import Priority
from queue_tool.model.schedule import CatchUp, Overlap, TickResult

COLUMNS: Columns = {
    "schedule": lambda schedule: schedule.id,
    "status": lambda schedule: schedule.status,
    "type": lambda schedule: schedule.task_type,
    "next": lambda schedule: moment(schedule.next_at),
    "name": lambda schedule: schedule.name,
    "when": lambda schedule: schedule.words,
}

TICKS: Columns = {
    "number": lambda tick: tick.number,
    "due": lambda tick: moment(tick.at),
    "cause": lambda tick: tick.cause,
    "result": lambda tick: tick.result,
    "sent": lambda tick: tick.token or tick.batch,
    "error": lambda tick: tick.error,
}

ID = "01a2171f18857a0bb04b6fac08924c5e"
SCHEDULE = click.argument("schedule")


@click.group(cls=ClientGroup)
def schedules() -> None:
    """List, create, show, pause, resume, run and delete schedules."""


@schedules.command("list", example="queue-tool schedules")
@paged
@as_json
def list_schedules(limit: int, everything: bool, as_json: bool) -> None:
    """Print schedules. This is also what `queue-tool schedules` does."""
    with connect() as client:
        found = client.schedules(limit=lists.page_size(limit, everything))
        lists.show(found, COLUMNS, limit=limit, everything=everything, as_json=as_json)


@schedules.command(
    "create",
    example="""
    queue-tool schedules create --type report --cron '30 2 * * 1-5' --timezone Europe/Lisbon --data '{"days": 7}'
    queue-tool schedules create --type cleanup --every 15m --name "clean up" --overlap skip
    """,
)
@click.option("--type", "task_type", metavar="TYPE", required=True, help="The task type of what it sends.")
@click.option("--cron", metavar="EXPRESSION", help="When it is due: five fields as in a crontab, or @daily and others.")
@click.option("--every", type=duration, help="The time between two ticks: 90, 30m, 2h or 7d.")
@click.option("--timezone", metavar="ZONE", help="The time zone of --cron, such as Europe/Lisbon. Default: UTC.")
@click.option("--data", metavar="JSON", type=json, help="The data of the task that each tick sends. Default: null.")
@click.option("--elements", metavar="JSON", type=json, help="An array: each tick sends a batch with these data.")
@click.option("--name", help="The name of the schedule, and of what it sends.")
@click.option("--start", metavar="TIME", type=instant, help="No tick is before this time (RFC 3339).")
@click.option("--end", metavar="TIME", type=instant, help="No tick is after this time (RFC 3339).")
@click.option(
    "--overlap", type=click.Choice([each.value for each in Overlap]), help="While the work before is not done."
)
@click.option("--catch-up", type=click.Choice([each.value for each in CatchUp]), help="What is done for missed ticks.")
@click.option("--jitter", type=duration, help="The longest random delay of each task.")
@click.option("--tag", "tags", multiple=True, help="A tag of each task. May be repeated.")
@click.option("--priority", type=click.Choice([each.value for each in Priority]), help="The priority of each task.")
@click.option("--timeout", type=duration, help="The time that one run may take.")
@click.option("--max-attempts", type=click.IntRange(min=1), metavar="N", help="The most attempts of each task.")
@as_json
def create_schedule(*, as_json: bool, **given: Any) -> None:
    """Create a schedule, and print its id. It needs the role admin.

    It has either --cron or --every, and either --data or --elements.
    """
    given["tags"] = list(given["tags"]) or None
    _require_one(given, "cron", "every")
    if given["data"] is not None and given["elements"] is not None:
        raise click.UsageError("A schedule has either --data or --elements.")
    with connect() as client:
        made = client.make_schedule(**{name: value for name, value in given.items() if value is not None})
    if as_json:
        lists.document(made)
    else:
        click.echo(made.id)
        tell(f"{made.words}. Its next tick: {moment(made.next_at)}.")


def _require_one(given: dict[str, Any], *names: str) -> None:
    """Check that exactly one of these options is given.

    Raises:
        click.UsageError: none is, or several are.
    """
    if sum(given[name] is not None for name in names) != 1:
        raise click.UsageError(f"A schedule has either {' or '.join(f'--{name}' for name in names)}.")


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


@schedules.command("ticks", example=f"queue-tool schedules ticks {ID} --limit 10")
@SCHEDULE
@paged
@as_json
def list_ticks(schedule: str, limit: int, everything: bool, as_json: bool) -> None:
    """Print what a schedule did lately, the newest first."""
    with connect() as client:
        found = client.ticks(schedule, limit=lists.page_size(limit, everything))
        lists.show(found, TICKS, limit=limit, everything=everything, as_json=as_json)


@schedules.command("delete", example=f"queue-tool schedules delete {ID}")
@SCHEDULE
@without_asking
@as_json
def delete_schedule(schedule: str, yes: bool, as_json: bool) -> None:
    """Delete a schedule. What it has sent stays. It needs the role admin, and the command asks before."""
    require_yes(f"Delete the schedule {schedule}?", yes=yes)
    with connect() as client:
        found = client.delete_schedule(schedule)
    lists.answer(found, "The schedule is deleted. What it has sent stays.", as_json=as_json)
