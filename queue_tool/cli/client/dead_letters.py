"""`queue-tool deadletters`: failed tasks."""

from __future__ import annotations

from typing import Any

import click

from queue_tool.cli.client import lists, options
from queue_tool.cli.client.asking import require_yes, without_asking
from queue_tool.cli.client.ending import ClientGroup
from queue_tool.cli.client.options import OF_DEAD_LETTERS, as_json, filtered, in_body, paged
from queue_tool.cli.client.pace import duration
from queue_tool.cli.client.screen import Columns, moment
from queue_tool.cli.client.service import connect
from queue_tool.model.payloads.tasks import Changed

COLUMNS: Columns = {
    "token": lambda task: task.token,
    "type": lambda task: task.task_type,
    "failed": lambda task: moment(task.finished_at),
    "code": lambda task: task.error and task.error.code,
    "error": lambda task: task.error and task.error.message,
}


@click.group(cls=ClientGroup)
def deadletters() -> None:
    """List, retry and delete failed tasks."""


@deadletters.command(
    "list",
    example="""
    queue-tool deadletters list --type thumbnail
    queue-tool deadletters --code timeout --all --json
    """,
)
@filtered(OF_DEAD_LETTERS)
@paged
@as_json
def list_dead_letters(filters: dict[str, Any], limit: int, everything: bool, as_json: bool) -> None:
    """Print failed tasks that match all filters, newest first. This is also what `queue-tool deadletters` does."""
    with connect() as client:
        found = client.dead_letters(**filters, limit=lists.page_size(limit, everything))
        lists.show(found, COLUMNS, limit=limit, everything=everything, as_json=as_json)


@deadletters.command(
    "retry",
    example="""
    queue-tool deadletters retry 01a2171f18857a0bb04b6fac08924c5e
    queue-tool deadletters retry --code worker_lost --yes
    queue-tool deadletters retry --all --dry-run
    """,
)
@click.argument("token", required=False)
@filtered(OF_DEAD_LETTERS)
@click.option("--all", "everything", is_flag=True, help="All failed tasks.")
@click.option("--dry-run", is_flag=True, help="Only count the tasks, and change none.")
@without_asking
@as_json
def retry_dead_letters(
    *, token: str | None, filters: dict[str, Any], everything: bool, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Retry one failed task, or all that match.

    Filters need the role admin. The command asks before it changes more than one task.
    """
    if (token is not None) + bool(filters) + everything != 1:
        raise click.UsageError("Say in one way what to retry: with a token, filters such as --type, or --all.")
    with connect() as client:
        if token is not None:
            status = client.retry_dead_letter(token)
            lists.answer(status, f"The task is {status.status}.", as_json=as_json)
            return
        selected: dict[str, Any] = {"filter": in_body(filters), "all": everything}
        matched = client.retry_dead_letters(**selected, dry_run=True).matched
        if dry_run:
            found = Changed(matched=matched, changed=0)
            lists.answer(found, f"{matched:,} tasks match. Nothing was changed.", as_json=as_json)
            return
        require_yes(f"Retry {matched:,} failed tasks?", yes=yes or matched <= 1)
        done = client.retry_dead_letters(**selected)
    lists.answer(done, f"{done.changed:,} of {done.matched:,} tasks changed.", as_json=as_json)


@deadletters.command(
    "purge",
    example="""
    queue-tool deadletters purge --older-than 30d --dry-run
    queue-tool deadletters purge --older-than 30d
    """,
)
@click.option(
    "--older-than", type=options.duration, required=True, help="Since their failure: 90, 30m, 2h or 7d; 0 for all."
)
@click.option("--dry-run", is_flag=True, help="Only count the tasks, and delete none.")
@without_asking
@as_json
def purge_dead_letters(*, older_than: float, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Delete failed tasks for good.

    Their data and errors are deleted, too. It needs the role admin, and the command asks before.
    """
    if dry_run:
        with connect() as client:
            found = client.purge_dead_letters(older_than=older_than, dry_run="true")
        lists.answer(found, f"{found.matched:,} failed tasks would be deleted. Nothing was changed.", as_json=as_json)
        return
    which = f"all tasks that failed more than {duration(older_than)} ago" if older_than else "all failed tasks"
    require_yes(f"Delete {which}?", yes=yes)
    with connect() as client:
        done = client.purge_dead_letters(older_than=older_than)
    lists.answer(done, f"{done.removed:,} failed tasks were deleted.", as_json=as_json)
