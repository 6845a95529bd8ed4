"""`queue-tool workers`: the processes that run tasks."""

from __future__ import annotations

import click

from queue_tool.cli.client import lists
from queue_tool.cli.client.ending import ClientCommand
from queue_tool.cli.client.options import as_json
from queue_tool.cli.client.screen import Columns
from queue_tool.cli.client.service import connect

COLUMNS: Columns = {
    "host": lambda worker: worker.host,
    "pid": lambda worker: worker.pid,
    "kind": lambda worker: worker.kind,
    "state": lambda worker: worker.state,
    "running": lambda worker: worker.running,
    "finished": lambda worker: worker.finished,
    "failed": lambda worker: worker.failed,
    "heartbeat": lambda worker: None if worker.heartbeat_age is None else f"{worker.heartbeat_age:.1f} s ago",
    "trouble": lambda worker: worker.trouble,
}


@click.command(cls=ClientCommand, example="queue-tool workers")
@as_json
def workers(as_json: bool) -> None:
    """Print the workers, the oldest first."""
    with connect() as client:
        found = client.list_workers().items
    lists.show(found, COLUMNS, limit=len(found), everything=True, as_json=as_json)
