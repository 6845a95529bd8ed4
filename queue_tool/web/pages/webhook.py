"""The page of a webhook: what it is told of, what became of its messages, and what can be done with it."""

from __future__ import annotations

from datetime import datetime

from flask import Response
from werkzeug.wrappers import Response as BaseResponse

from queue_tool.errors import BadRequest, WebhookNotFound
from queue_tool.model.access import Role
from queue_tool.model.times import read_time, rfc3339
from queue_tool.web.http import webhook_shapes
from queue_tool.web.http.admission import FORM
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import Group
from queue_tool.web.pages import webhooks
from queue_tool.web.pages.page import OFTEN, back_to, choice, field, last_change, optional, page, place_in_list
from queue_tool.web.pages.selecting import in_utc

PATH = f"{webhooks.PATH}/<webhook>"

TRIES = 25
"""Tries on the page."""

ACTIONS = ("test", "redeliver", "rotate", "enable", "delete")

DONE = {"test": "tested", "redeliver": "redelivered", "enable": "enabled"}

pages = Group("webhook page", "Everything about a webhook.")


@pages.get(PATH, Role.READ, in_document=False, takes_any_query=True)
def show_webhook(webhook: str) -> Response:
    """Show a webhook and the tries to deliver its messages, newest first."""
    service, cursor = runtime().webhooks(), place_in_list()
    found = service.get(webhook)
    tries = service.deliveries(webhook, TRIES, cursor)
    return page(
        "webhook.html",
        refresh=0 if cursor else OFTEN,
        webhook=webhook_shapes.shown(found),
        tries=[webhook_shapes.delivery(each) for each in tries.items],
        found=tries,
        done=last_change(*DONE.values()),
    )


@pages.post(PATH, Role.ADMIN, in_document=False, takes=FORM)
def change_webhook(webhook: str) -> BaseResponse:
    """Test a webhook, deliver messages again, make a new secret, enable or delete it."""
    service, name = runtime().webhooks(), choice("action", ACTIONS)
    match name:
        case "rotate":
            return _rotate(webhook)
        case "delete":
            service.remove(webhook)
            return back_to(webhooks.PATH, done="deleted")
        case "test":
            service.test(webhook)
        case "enable":
            service.enable(webhook)
        case "redeliver":
            service.redeliver(webhook, optional("message"), _since())
    return back_to(f"{webhooks.PATH}/{webhook}", done=DONE[name])


def _rotate(webhook: str) -> Response:
    """Make a new secret, and show it for the only time."""
    service = runtime().webhooks()
    if service.get(webhook).own:
        raise WebhookNotFound
    secret, until = service.rotate(webhook)
    shown = webhook_shapes.shown(service.get(webhook))
    return page("webhook_secret.html", webhook=shown, secret=secret, until=rfc3339(until))


def _since() -> datetime | None:
    """Return the time since which everything is delivered again; None if the form names a message.

    Raises:
        BadRequest: it names neither, or the time is none.
    """
    text = field("since")
    if bool(text) == bool(field("message")):
        raise BadRequest("The form must have either a message or a time.")
    try:
        return read_time(in_utc(text)) if text else None
    except ValueError as error:
        raise BadRequest(f"since: {error}") from None
