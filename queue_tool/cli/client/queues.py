"""`queue-tool queues`: the waiting tasks of each priority."""

from __future__ import annotations

import click

from queue_tool.cli.client import lists
from queue_tool.cli.client.ending import ClientGroup
from queue_tool.cli.client.options import as_json
from queue_tool.cli.client.pace import duration
from queue_tool.cli.client.screen import Columns
from queue_tool.cli.client.service import connect
from queue_tool.model.queues import Priority

COLUMNS: Columns = {
    "queue": lambda queue: queue.name,
    "state": lambda queue: "paused" if queue.paused else "active",
    "waiting": lambda queue: queue.waiting,
    "running": lambda queue: queue.running,
    "oldest": lambda queue: None if queue.age is None else f"{duration(queue.age)} ago",
}

QUEUE = click.argument("queue", metavar="QUEUE", type=click.Choice([priority.queue for priority in Priority]))


@click.group(cls=ClientGroup)
def queues() -> None:
    """List, pause and resume queues."""


@queues.command("list", example="queue-tool queues")
@as_json
def list_queues(as_json: bool) -> None:
    """Print the queues, the most urgent first. This is also what `queue-tool queues` does."""
    with connect() as client:
        found = client.list_queue(limit=1).queues
    lists.show(found, COLUMNS, limit=len(found), everything=True, as_json=as_json)


@queues.command("pause", example="queue-tool queues pause low")
@QUEUE
@as_json
def pause_queue(queue: str, as_json: bool) -> None:
    """Pause a queue: none of its waiting tasks start.

    QUEUE is `high`, `default` or `low`. It needs the role admin.
    """
    with connect() as client:
        found = client.pause_queue(queue)
    lists.answer(found, f"The queue {found.name} is paused. {found.waiting:,} tasks wait.", as_json=as_json)


@queues.command("resume", example="queue-tool queues resume low")
@QUEUE
@as_json
def resume_queue(queue: str, as_json: bool) -> None:
    """Resume a paused queue.

    QUEUE is `high`, `default` or `low`. It needs the role admin.
    """
    with connect() as client:
        found = client.resume_queue(queue)
    lists.answer(found, f"The queue {found.name} runs. {found.waiting:,} tasks wait.", as_json=as_json)
