"""The pages of webhooks: all of them, and the form that registers one and shows its secret once."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response, request
from werkzeug.wrappers import Response as BaseResponse

from queue_tool.errors import BadWebhook, QueueToolError
from queue_tool.model.access import Role
from queue_tool.model.payloads.webhooks import WebhookBody
from queue_tool.model.webhook import Event
from queue_tool.web.http import webhook_shapes
from queue_tool.web.http.admission import FORM
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import Group
from queue_tool.web.pages.page import SOMETIMES, field, last_change, optional, page, place_in_list, status_of

PATH = "/dashboard/webhooks"

ON_A_PAGE = 50

TEXTS = ("url", "description", "task_type", "tag", "batch", "headers")

pages = Group("webhook pages", "Webhooks and what became of their messages.")


@pages.get(PATH, Role.READ, in_document=False, takes_any_query=True)
def show_webhooks() -> Response:
    """Show the webhooks, newest first."""
    cursor = place_in_list()
    found = runtime().webhooks().page(ON_A_PAGE, cursor)
    return page(
        "webhooks.html",
        refresh=0 if cursor else SOMETIMES,
        webhooks=[webhook_shapes.shown(each) for each in found.items],
        found=found,
        done=last_change("deleted"),
    )


@pages.get(f"{PATH}/new", Role.ADMIN, in_document=False)
def show_new_webhook() -> Response:
    """Show the form of a new webhook."""
    return _form(dict.fromkeys(TEXTS, ""), list(Event))


@pages.post(f"{PATH}/new", Role.ADMIN, in_document=False, takes=FORM)
def register_webhook_by_form() -> BaseResponse:
    """Register a webhook, and show its secret for the only time."""
    texts = {name: field(name) for name in TEXTS}
    events = request.form.getlist("event")
    system = runtime()
    try:
        body = WebhookBody(
            url=texts["url"],
            events=events,
            headers=headers_of(texts["headers"]),
            **{name: optional(name) for name in ("description", "task_type", "tag", "batch")},
        )
        webhook, secret = system.webhooks().register(webhook_shapes.wanted(body, system.clock.now()))
    except QueueToolError as error:
        return _form(texts, events, status_of(error), error.sentence)
    return page("webhook_secret.html", webhook=webhook_shapes.shown(webhook), secret=secret, until=None)


def headers_of(text: str) -> dict[str, str]:
    """Return the headers in a text with one on each line, such as `Authorization: Bearer 7`.

    Raises:
        BadWebhook: a line has no colon, or a header occurs twice.
    """
    found: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, colon, value = line.partition(":")
        if not colon:
            raise BadWebhook("Write each header on a line of its own, as `Name: value`.")
        if name.strip() in found:
            raise BadWebhook(f"The header {name.strip()[:80]!r} occurs twice.")
        found[name.strip()] = value.strip()
    return found


def _form(
    texts: Mapping[str, str], events: list[Event] | list[str], status: int = 200, problem: str | None = None
) -> Response:
    return page(
        "webhook_form.html",
        status,
        texts=texts,
        chosen=events,
        events=list(Event),
        problem=problem,
        allow=runtime().settings.webhook_allow,
    )
