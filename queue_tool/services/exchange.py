"""The exchange of events: a webhook whose messages go to RabbitMQ. It is there while a setting asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from queue_tool.errors import WebhookNotFound
from queue_tool.model.clock import Clock
from queue_tool.model.webhook import EXCHANGE, Event, Webhook
from queue_tool.services.webhooks import Answer, Sender
from queue_tool.store import Store

ID = f"{1:032x}"
"""The id of this webhook, the same everywhere, so that all hosts register one."""


def register(store: Store, clock: Clock, new_secret: Callable[[], str]) -> None:
    """Register the exchange, if it is not registered yet.

    Raises:
        StoreAway: the database is busy or away.
    """
    webhook = Webhook(
        id=ID,
        url=EXCHANGE,
        events=list(Event),
        created_at=clock.now(),
        description="Registered by QUEUE_TOOL_AMQP_EVENTS.",
    )
    store.webhooks.ensure(webhook, new_secret())


def unregister(store: Store) -> None:
    """Remove the exchange with all that it has not heard of, if it is registered.

    Raises:
        StoreAway: the database is busy or away.
    """
    with suppress(WebhookNotFound):
        store.webhooks.remove(ID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Senders:
    """Sends by HTTP, and to the exchange."""

    http: Sender
    amqp: Callable[[], Sender]

    def check_receiver(self, url: str) -> None:
        """Raise an error if the URL of a webhook cannot be used."""
        self.http.check_receiver(url)

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a message, and return what came of it."""
        return (self.amqp() if url == EXCHANGE else self.http).send(url, headers, body)
