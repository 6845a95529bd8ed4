"""`queue-tool tasks`: tasks in a list, newest first."""

from __future__ import annotations

from typing import Any

import click

from queue_tool.cli.client import lists
from queue_tool.cli.client.ending import ClientCommand
from queue_tool.cli.client.options import as_json, filtered, paged
from queue_tool.cli.client.screen import Columns, moment
from queue_tool.cli.client.service import connect

COLUMNS: Columns = {
    "token": lambda task: task.token,
    "status": lambda task: task.status,
    "type": lambda task: task.task_type,
    "created": lambda task: moment(task.created_at),
    "name": lambda task: task.name or task.custom_id or task.item,
    "error": lambda task: task.error and f"{task.error.code}: {task.error.message}",
}


@click.command(
    cls=ClientCommand,
    example="""
    queue-tool tasks --status failed --created-after 2h
    queue-tool tasks --batch 01a2171f18857a0bb04b6fac08924c5e --all --json
    """,
)
@filtered()
@paged
@as_json
def tasks(filters: dict[str, Any], limit: int, everything: bool, as_json: bool) -> None:
    """Print tasks that match all filters, newest first."""
    with connect() as client:
        found = client.tasks(**filters, limit=lists.page_size(limit, everything))
        lists.show(found, COLUMNS, limit=limit, everything=everything, as_json=as_json)
