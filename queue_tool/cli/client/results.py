"""`queue-tool results`: the results of a batch as a stream."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping

import click
import msgspec

from queue_tool.cli.client.ending import ClientCommand
from queue_tool.cli.client.lists import lines_of_json
from queue_tool.cli.client.options import as_json
from queue_tool.cli.client.output import Output
from queue_tool.cli.client.service import connect
from queue_tool.model import json_text
from queue_tool.model.csv_results import COLUMNS, csv_cells
from queue_tool.model.payloads.batches import BatchResult, ElementStatus


@click.command(
    cls=ClientCommand,
    example="""
    queue-tool results 01a2171f18857a0bb04b6fac08924c5e > results.jsonl
    queue-tool results 01a2171f18857a0bb04b6fac08924c5e --format csv --status failed --status rejected
    """,
)
@click.argument("batch")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv", "json"]),
    default="jsonl",
    show_default=True,
    help="JSON Lines, CSV, or one JSON array.",
)
@click.option(
    "--status",
    type=click.Choice([status.value for status in ElementStatus]),
    multiple=True,
    help="Only elements in this state. May be repeated.",
)
@as_json
def results(batch: str, form: str, status: tuple[str, ...], as_json: bool) -> None:
    """Print the results of a batch, in the order of its elements.

    Each has `index`, `custom_id`, `item`, `token`, `status`, `result` and `error`. An element that has not ended has no
    result yet. Any number of results needs little memory. --json is the same as --format jsonl.
    """
    with connect() as client:
        WRITERS["jsonl" if as_json else form](client.batch(batch).results(status=status))


def _array(results: Iterable[BatchResult]) -> None:
    with Output() as output:
        before = b"[\n"
        for result in results:
            output.write(before + json_text.encode(result))
            before = b",\n"
        output.write(b"\n]\n" if before == b",\n" else b"[]\n")


def _csv(results: Iterable[BatchResult]) -> None:
    with Output() as output:
        writer = csv.writer(output, quoting=csv.QUOTE_ALL)
        writer.writerow(COLUMNS)
        for result in results:
            text = None if result.result is None else json_text.dumps(result.result).decode()
            writer.writerow(csv_cells({**msgspec.to_builtins(result), "result": text}))


WRITERS: Mapping[str, Callable[[Iterable[BatchResult]], object]] = {
    "jsonl": lines_of_json,
    "csv": _csv,
    "json": _array,
}
"""What writes results, by the name of the format."""
