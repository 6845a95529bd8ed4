"""`queue-tool task`: everything about one task."""

from __future__ import annotations

import click

from queue_tool.cli.client.ending import ClientCommand
from queue_tool.cli.client.lists import document
from queue_tool.cli.client.options import as_json
from queue_tool.cli.client.screen import Screen, moment
from queue_tool.cli.client.service import connect
from queue_tool.model import json_text
from queue_tool.model.payloads.details import FailedAttempt, TaskDetails

LONGEST = 1000
"""Characters of a value that are shown. --json shows all."""


@click.command(cls=ClientCommand, example="queue-tool task 01a2171f18857a0bb04b6fac08924c5e")
@click.argument("token")
@as_json
def task(token: str, as_json: bool) -> None:
    """Print everything about one task.

    It has the data, the result, the failed attempts with their tracebacks, and what the function logged. Long values
    are cut, but not with --json.
    """
    with connect() as client:
        found = client.get_task(token)
    if as_json:
        document(found)
        return
    screen = Screen()
    screen.fields(_fields(found))
    for attempt in found.attempts:
        _show_attempt(screen, attempt)
    for line in found.log:
        screen.line(f"log, run {line.run}, {moment(line.at)}: {line.text}")


def _fields(found: TaskDetails) -> dict[str, object]:
    """Return what is known about a task, by its names in the API."""
    progress = None if found.progress is None else f"{found.progress:.0%} {found.note or ''}".rstrip()
    return {
        "token": found.token,
        "status": found.status,
        "task_type": found.task_type,
        "batch": found.batch,
        "name": found.name,
        "custom_id": found.custom_id,
        "tags": ", ".join(found.tags) or None,
        "priority": found.priority,
        "attempt": found.attempt,
        "created_at": moment(found.created_at),
        "due_at": moment(found.due_at),
        "started_at": moment(found.started_at),
        "finished_at": moment(found.finished_at),
        "duration": None if found.duration is None else f"{found.duration:.3f} s",
        "progress": progress,
        "worker": found.worker,
        "host": found.host,
        "data": _short(found.data),
        "result": None if found.result is None else _short(found.result),
        "error": found.error and f"{found.error.code}: {found.error.message}",
        "canceled_by": found.canceled_by or None,
        "cancel_reason": found.cancel_reason or None,
    }


def _short(value: object) -> str:
    text = json_text.dumps(value).decode()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _show_attempt(screen: Screen, attempt: FailedAttempt) -> None:
    screen.line(f"attempt {attempt.attempt}, run {attempt.run}, {moment(attempt.ended_at)}: {attempt.code}")
    for line in (attempt.traceback or attempt.error or "").splitlines():
        screen.line(f"  {line}")
