"""`queue-tool webhooks`: what the service calls when tasks and batches end."""

from __future__ import annotations

from typing import Any

import click

from queue_tool.cli.client import lists
from queue_tool.cli.client.asking import require_yes, without_asking
from queue_tool.cli.client.ending import ClientGroup, ExitCode, leave, tell
from queue_tool.cli.client.options import as_json, paged
from queue_tool.cli.client.screen import Columns, Screen, moment
from queue_tool.cli.client.service import connect
from queue_tool.model.webhook import ALL, TAKEN, Event

COLUMNS: Columns = {
    "webhook": lambda webhook: webhook.id,
    "state": lambda webhook: "disabled" if webhook.disabled_at else "active",
    "waiting": lambda webhook: webhook.waiting,
    "tries": lambda webhook: webhook.tries,
    "events": lambda webhook: ",".join(webhook.events),
    "url": lambda webhook: webhook.url,
}

DELIVERIES: Columns = {
    "message": lambda delivery: delivery.message,
    "at": lambda delivery: moment(delivery.at),
    "type": lambda delivery: delivery.type,
    "try": lambda delivery: delivery.tries,
    "outcome": lambda delivery: delivery.outcome,
    "status": lambda delivery: delivery.status,
    "problem": lambda delivery: delivery.problem,
}

ID = "01a2171f18857a0bb04b6fac08924c5e"
WEBHOOK = click.argument("webhook")


@click.group(cls=ClientGroup)
def webhooks() -> None:
    """List, create, test and delete webhooks, and show what was delivered. It needs the role admin."""


@webhooks.command("list", example="queue-tool webhooks")
@paged
@as_json
def list_webhooks(limit: int, everything: bool, as_json: bool) -> None:
    """Print webhooks. This is also what `queue-tool webhooks` does."""
    with connect() as client:
        found = client.webhooks(limit=lists.page_size(limit, everything))
        lists.show(found, COLUMNS, limit=limit, everything=everything, as_json=as_json)


@webhooks.command(
    "create",
    example="""
    queue-tool webhooks create https://example.com/hook --event all
    queue-tool webhooks create https://example.com/hook --event task.failed --type thumbnail
    """,
)
@click.argument("url")
@click.option(
    "--event",
    "events",
    type=click.Choice([*(each.value for each in Event), ALL]),
    multiple=True,
    required=True,
    help="What it is told of. May be repeated.",
)
@click.option("--type", "task_type", metavar="TYPE", help="Only tasks of this type.")
@click.option("--tag", help="Only tasks with this tag.")
@click.option("--batch", metavar="BATCH", help="Only this batch and its tasks.")
@click.option("--description", help="What it is for.")
@as_json
def create_webhook(*, as_json: bool, **given: Any) -> None:
    """Register a webhook, and print its id and its secret. No other command shows the secret.

    Headers of its requests may be secret, so they are no options: register such a webhook on its page, or over HTTP.
    """
    given["events"] = list(given["events"])
    with connect() as client:
        made = client.register_webhook(**{name: value for name, value in given.items() if value is not None})
    if as_json:
        lists.document(made)
    else:
        Screen().fields({"id": made.id, "secret": made.secret})
        tell("Give the secret to the receiver now: it is shown only once.")


@webhooks.command("test", example=f"queue-tool webhooks test {ID}")
@WEBHOOK
@as_json
def test_webhook(webhook: str, as_json: bool) -> None:
    """Send a test message now, and print what the receiver answered. The exit code is 1 if it did not take it."""
    with connect() as client:
        tried = client.test_webhook(webhook)
    answered = f"The receiver answered {tried.status} after {tried.seconds:.2f} s."
    lists.answer(tried, tried.problem or answered, as_json=as_json)
    leave(ExitCode.DONE if tried.status in TAKEN and tried.problem is None else ExitCode.FAILED)


@webhooks.command("deliveries", example=f"queue-tool webhooks deliveries {ID} --limit 10")
@WEBHOOK
@paged
@as_json
def list_deliveries(webhook: str, limit: int, everything: bool, as_json: bool) -> None:
    """Print the tries to deliver messages to a webhook. The newest ones come first."""
    with connect() as client:
        found = client.deliveries(webhook, limit=lists.page_size(limit, everything))
        lists.show(found, DELIVERIES, limit=limit, everything=everything, as_json=as_json)


@webhooks.command("delete", example=f"queue-tool webhooks delete {ID}")
@WEBHOOK
@without_asking
@as_json
def delete_webhook(webhook: str, yes: bool, as_json: bool) -> None:
    """Delete a webhook: it gets no more messages. The command asks before."""
    require_yes(f"Delete the webhook {webhook}?", yes=yes)
    with connect() as client:
        found = client.delete_webhook(webhook)
    lists.answer(found, "The webhook is deleted.", as_json=as_json)
