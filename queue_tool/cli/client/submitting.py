"""`queue-tool submit`: the elements of a file or a pipe become a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

import click

from queue_tool.cli.client.ending import ClientCommand, ExitCode, leave
from queue_tool.cli.client.judging import judged, type_of, types_of
from queue_tool.cli.client.lists import document
from queue_tool.cli.client.options import as_json, duration, instant, json, metadata, pair
from queue_tool.cli.client.refusals import Refusals
from queue_tool.cli.client.sending import Sending
from queue_tool.cli.client.service import connect
from queue_tool.cli.client.source import STDIN, Source, open_source
from queue_tool.cli.client.wrapping import Wrapping
from queue_tool.model.queues import Priority
from queue_tool.model.task_types import TaskType

_OF_TASKS = ("priority", "tags", "delay", "run_at", "expires_at", "timeout", "max_attempts")


@click.command(
    cls=ClientCommand,
    example="""
    queue-tool submit rows.csv --type thumbnail --map File=path --wait
    generate | queue-tool submit - --format jsonl --type uppercase
    queue-tool submit tasks.jsonl --dry-run
    """,
)
@click.argument("file", metavar="FILE", type=click.File("rb"))
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "jsonl", "csv"]),
    help="JSON array, JSON Lines or CSV. By default, the name of FILE or its beginning shows it.",
)
@click.option("--type", "task_type", metavar="TYPE", help="The task type of all elements, which are then its data.")
@click.option(
    "--map",
    "mapping",
    metavar="COLUMN=FIELD",
    type=pair,
    multiple=True,
    help="Of CSV: the field of the data for a column. `-` leaves the column out. May be repeated.",
)
@click.option("--name", help="The name of the batch.")
@metadata
@click.option("--priority", type=click.Choice([each.value for each in Priority]), help="The priority of all tasks.")
@click.option("--tag", "tags", multiple=True, help="A tag of all tasks. May be repeated.")
@click.option("--delay", type=duration, help="The tasks start after this time: 90, 30m, 2h or 7d.")
@click.option("--run-at", metavar="TIME", type=instant, help="The tasks start at this time (RFC 3339).")
@click.option(
    "--expires-at",
    metavar="TIME",
    type=instant,
    help="They fail if not started by this time (RFC 3339).",
)
@click.option("--timeout", type=duration, help="The time that one run may take.")
@click.option(
    "--max-attempts", type=click.IntRange(min=1), metavar="N", help="The maximum number of attempts of a task."
)
@click.option("--on-finished", metavar="JSON", type=json, help="The task that follows when all have ended, or several.")
@click.option("--webhook", metavar="URL", help="What the service calls when all have ended.")
@click.option("--idempotency-key", metavar="KEY", help="The same key and elements make no second batch for 24 hours.")
@click.option("--resume", metavar="BATCH", help="Add the rest of FILE to a batch that has its beginning.")
@click.option("--dry-run", is_flag=True, help="Only check the elements against the schemas, and send nothing.")
@click.option("--wait", is_flag=True, help="Show the progress until the end of the batch, as `watch` does.")
@as_json
def submit(file: BinaryIO, form: str | None, task_type: str | None, **given: Any) -> None:
    """Send the elements of FILE as one batch, and print its id.

    FILE is a JSON array, JSON Lines or CSV with the names of its columns in the first line; `-` is the standard input.
    With --type, each element is the data of a task; without it, a task object as in `POST /tasks`. A refused element
    does not stop the others: it is printed with its line, and the exit code is 1.
    """
    options = {name: value for name in _OF_TASKS if (value := given[name]) not in (None, ())}
    wrapping = Wrapping(task_type=task_type, options=options)
    source = open_source(file, _name_of(file), form)
    if source.form == "csv" and task_type is None:
        raise click.UsageError("CSV needs --type: its rows are the data of tasks of one type.")
    if given["mapping"] and source.form != "csv":
        raise click.UsageError("--map is for CSV.")
    source.mapping = dict(given["mapping"])
    with connect() as client:
        types = types_of(client.list_task_types().items) if given["dry_run"] or source.form == "csv" else {}
        if task_type is not None and types:
            source.schema = type_of(types, task_type).schema.document
        if given["dry_run"]:
            leave(_check(source, wrapping, types, as_json=given["as_json"]))
        label = {name: given[name] for name in ("name", "on_finished", "webhook", "idempotency_key", "resume")}
        sending = Sending(client=client, source=source, wrapping=wrapping, as_json=given["as_json"])
        leave(sending(given["wait"], metadata=dict(given["metadata"]), **label))


def _name_of(file: BinaryIO) -> str:
    """Return the path of a file. Standard input has none: it is `<stdin>`, or a number if it was closed."""
    return file.name if isinstance(file.name, str) and file.name != "<stdin>" else STDIN


def _check(source: Source, wrapping: Wrapping, types: Mapping[str, TaskType], *, as_json: bool) -> ExitCode:
    """Check all elements, and say which ones the service would refuse."""
    refused = Refusals(source=source, wrapping=wrapping)
    source.report = refused.add_line
    total = 0
    for index, reasons in judged(map(wrapping, source), types, wrapping.sent_type):
        total += 1
        if reasons:
            refused.add(index, reasons)
    accepted = total - (refused.count - refused.unread)
    if as_json:
        document({"accepted": accepted, "rejected": refused.count, "refused": refused.in_json})
    else:
        click.echo(f"{accepted:,} accepted, {refused.count:,} refused. Nothing was sent.")
        refused.show()
    return ExitCode.FAILED if refused.count else ExitCode.DONE
