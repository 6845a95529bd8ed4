"""Webhooks as requests describe them, and as answers and pages show them."""

from __future__ import annotations

from datetime import datetime

from queue_tool.errors import BadWebhook
from queue_tool.model import delivery as tries
from queue_tool.model import webhook as model
from queue_tool.model.payloads.webhooks import Delivery, Webhook, WebhookBody
from queue_tool.model.times import rfc3339
from queue_tool.web.http.answers import rfc3339_or_none

LONGEST_TEXT = 1000
"""Characters of a description, and of each filter."""


def wanted(body: WebhookBody, now: datetime) -> model.Webhook:
    """Return the webhook that a request describes.

    Raises:
        BadWebhook: a text or an event cannot be used.
    """
    texts = (body.description, body.task_type, body.tag, body.batch)
    if any(text is not None and ("\0" in text or len(text) > LONGEST_TEXT) for text in texts):
        raise BadWebhook(f"The description and the filters have at most {LONGEST_TEXT} characters, and no U+0000.")
    return model.Webhook(
        id="",
        url=body.url,
        events=model.events_of(body.events),
        headers=body.headers,
        description=body.description,
        task_type=body.task_type,
        tag=body.tag,
        batch=body.batch,
        created_at=now,
    )


def shown(webhook: model.Webhook) -> Webhook:
    """Return a webhook without its secrets."""
    return Webhook(
        id=webhook.id,
        url=webhook.url,
        events=list(webhook.events),
        own=webhook.own,
        headers=list(webhook.headers),
        description=webhook.description,
        task_type=webhook.task_type,
        tag=webhook.tag,
        batch=webhook.batch,
        created_at=rfc3339(webhook.created_at),
        created=rfc3339(webhook.created_at),
        waiting=webhook.waiting,
        tries=webhook.tries,
        disabled_at=rfc3339_or_none(webhook.disabled_at),
        disabled_why=webhook.disabled_why,
    )


def delivery(done: tries.Try) -> Delivery:
    """Return what came of a try to deliver a message."""
    return Delivery(
        message=done.message,
        type=done.type,
        ends=done.count,
        at=rfc3339(done.at),
        tries=done.number,
        outcome=done.outcome,
        seconds=done.seconds,
        status=done.status,
        answer=done.answer,
        problem=done.problem,
    )
