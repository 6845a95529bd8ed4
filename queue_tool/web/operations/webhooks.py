"""`/webhooks`: addresses that are told when tasks and batches end."""

from __future__ import annotations

from msgspec import UNSET, structs

from queue_tool.errors import BadRequest, BadWebhook, DeliveryNotFound, WebhookDisabled, WebhookNotFound
from queue_tool.model.access import Role
from queue_tool.model.payloads.queries import Paging
from queue_tool.model.payloads.webhooks import (
    Delivery,
    DeliveryPage,
    NewSecret,
    NewWebhook,
    OwnSecret,
    RedeliverBody,
    Redelivered,
    RemovedWebhook,
    Webhook,
    WebhookBody,
    WebhookPage,
)
from queue_tool.model.times import read_time, rfc3339
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.operation import Group, Reply
from queue_tool.web.http.paging import listed, totals
from queue_tool.web.http.webhook_shapes import delivery, shown, wanted

CREATED = 201

routes = Group("webhooks", "Register addresses that the service calls when tasks and batches end.")


@routes.post("/webhooks", Role.ADMIN, status=CREATED, headers=("Location",), errors=(BadWebhook,))
def register_webhook(body: WebhookBody) -> Reply[NewWebhook]:
    """Register a webhook.

    The service sends messages to its URL when tasks and batches end, signed as Standard Webhooks describes. The secret
    in the answer is shown only once. All filters must match. A URL inside a private network is refused, unless
    `QUEUE_TOOL_WEBHOOK_ALLOW` names it.
    """
    system = runtime()
    webhook, secret = system.webhooks().register(wanted(body, system.clock.now()))
    answer = NewWebhook(secret=secret, **structs.asdict(shown(webhook)))
    return Reply(body=answer, status=CREATED, headers={"Location": f"/webhooks/{webhook.id}"})


@routes.get("/webhooks", Role.READ)
def list_webhooks(query: Paging) -> Reply[WebhookPage]:
    """List webhooks, newest first.

    The list also has each `webhook` of tasks and batches that was called lately: `own` is true for those.
    """
    page = runtime().webhooks().page(query.limit, query.cursor)
    return listed(WebhookPage(items=[shown(webhook) for webhook in page.items], **totals(page)))


@routes.get("/webhooks/secret", Role.ADMIN)
def get_webhook_secret() -> OwnSecret:
    """Read the secret of the service.

    It signs the messages to the `webhook` of tasks and batches. Registered webhooks have secrets of their own.
    """
    return OwnSecret(secret=runtime().webhooks().own_secret())


@routes.get("/webhooks/<webhook>", Role.READ, errors=(WebhookNotFound,))
def get_webhook(webhook: str) -> Webhook:
    """Read a webhook.

    `waiting` says how many ends it has not been told of yet. The secret and the values of its headers are not shown.
    """
    return shown(runtime().webhooks().get(webhook))


@routes.delete("/webhooks/<webhook>", Role.ADMIN, errors=(WebhookNotFound,))
def delete_webhook(webhook: str) -> RemovedWebhook:
    """Delete a webhook.

    It gets no more messages, not even about what ended before.
    """
    runtime().webhooks().remove(webhook)
    return RemovedWebhook(id=webhook, status="Webhook unregistered")


@routes.post("/webhooks/<webhook>/rotate", Role.ADMIN, errors=(WebhookNotFound,))
def rotate_webhook_secret(webhook: str) -> NewSecret:
    """Make a new secret.

    For 24 hours each message is signed with the new and with the previous secret. Give the receiver the new one in this
    time. The answer is 404 for a webhook whose `own` is true.
    """
    secret, until = runtime().webhooks().rotate(webhook)
    return NewSecret(id=webhook, secret=secret, previous_until=rfc3339(until))


@routes.post("/webhooks/<webhook>/enable", Role.ADMIN, errors=(WebhookNotFound,))
def enable_webhook(webhook: str) -> Webhook:
    """Enable a webhook.

    A webhook is disabled when its receiver answers 410. It then misses what ends, until this request enables it. If it
    is not disabled, its next message is sent at once.
    """
    service = runtime().webhooks()
    service.enable(webhook)
    return shown(service.get(webhook))


@routes.post("/webhooks/<webhook>/test", Role.ADMIN, errors=(WebhookNotFound,))
def test_webhook(webhook: str) -> Delivery:
    """Send a test message.

    It has the type `webhook.test`. The answer comes when the receiver has answered, after 20 seconds at most. It is no
    error if the receiver fails: see `status` and `problem`.
    """
    return delivery(runtime().webhooks().test(webhook))


@routes.get("/webhooks/<webhook>/deliveries", Role.READ, errors=(WebhookNotFound,))
def list_deliveries(webhook: str, query: Paging) -> Reply[DeliveryPage]:
    """List the tries to deliver messages, newest first.

    The latest 500 tries of a webhook are kept, for seven days.
    """
    page = runtime().webhooks().deliveries(webhook, query.limit, query.cursor)
    return listed(DeliveryPage(items=[delivery(each) for each in page.items], **totals(page)))


@routes.post("/webhooks/<webhook>/redeliver", Role.ADMIN, errors=(WebhookNotFound, DeliveryNotFound, WebhookDisabled))
def redeliver_message(webhook: str, body: RedeliverBody) -> Redelivered:
    """Deliver messages again.

    The body names one `message`, or a time `since`: everything that ended since then is delivered again, also what was
    given up. What was delivered is kept for three days, and what was given up for seven. The ids stay the same.
    """
    if (body.message is UNSET) == (body.since is UNSET):
        raise BadRequest('The body must have either "message" or "since".')
    try:
        since = None if body.since is UNSET else read_time(body.since)
    except ValueError as error:
        raise BadRequest(f"since: {error}") from None
    message = None if body.message is UNSET else body.message.replace("\0", "")
    return Redelivered(ends=runtime().webhooks().redeliver(webhook, message, since))
