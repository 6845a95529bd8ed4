"""`queue-tool batches`: batches in a list, newest first."""

from __future__ import annotations

import click

from queue_tool.cli.client import lists
from queue_tool.cli.client.ending import ClientCommand
from queue_tool.cli.client.options import as_json, metadata, paged
from queue_tool.cli.client.screen import Columns, moment
from queue_tool.cli.client.service import connect

COLUMNS: Columns = {
    "batch": lambda batch: batch.id,
    "status": lambda batch: batch.status,
    "done": lambda batch: f"{batch.progress:.0%}",
    "total": lambda batch: batch.total,
    "refused": lambda batch: batch.rejected,
    "created": lambda batch: moment(batch.created_at),
    "name": lambda batch: batch.name,
}


@click.command(
    cls=ClientCommand,
    example="""
    queue-tool batches --limit 5
    queue-tool batches --metadata customer=42 --all --json
    """,
)
@click.option("--name", help="Only batches with exactly this name.")
@metadata
@paged
@as_json
def batches(
    name: str | None, metadata: tuple[tuple[str, str], ...], limit: int, everything: bool, as_json: bool
) -> None:
    """Print batches, newest first. `queue-tool watch` shows one of them."""
    with connect() as client:
        found = client.batches(name=name, metadata=dict(metadata), limit=lists.page_size(limit, everything))
        lists.show(found, COLUMNS, limit=limit, everything=everything, as_json=as_json)
