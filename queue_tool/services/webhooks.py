"""Webhooks: register, change and remove them, test them, and deliver again what they have missed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from queue_tool.errors import WebhookDisabled, WebhookNotFound
from queue_tool.model.clock import Clock
from queue_tool.model.delivery import Try
from queue_tool.model.receivers import check_headers
from queue_tool.model.tokens import is_well_formed
from queue_tool.model.webhook import OVERLAP, SHOWN_ANSWER, TEST, TryResult, Webhook, require_sense
from queue_tool.model.webhook_message import test_body
from queue_tool.services.listing import MOST_COUNTED, Page, read_row, write_cursor
from queue_tool.services.submit import make_tokens
from queue_tool.store import Store


class Answer(Protocol):
    """What came of one request."""

    @property
    def status(self) -> int | None:
        """The HTTP status; None: there was no answer."""

    @property
    def text(self) -> str:
        """The body as far as it came."""

    @property
    def problem(self) -> str | None:
        """Why there is no complete answer; None: there is one."""

    @property
    def seconds(self) -> float:
        """How long it took."""

    @property
    def retry_after(self) -> float | None:
        """The seconds that the receiver wants to be left alone; None: it does not say."""


class Sender(Protocol):
    """Sends requests to receivers, whatever these do."""

    def check_receiver(self, url: str) -> None:
        """Raise an error if the URL of a webhook cannot be used."""

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a POST and return what came of it."""


Sign = Callable[[Sequence[str], str, datetime, bytes], dict[str, str]]
"""Returns the headers that identify and sign a message, from the secrets, the id, the time and the body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """Registers, changes, removes and tests webhooks."""

    store: Store
    clock: Clock
    sender: Sender
    sign: Sign
    new_secret: Callable[[], str]

    def register(self, wanted: Webhook) -> tuple[Webhook, str]:
        """Register a webhook. Return it with its id, and its secret, which is never returned again.

        Args:
            wanted: the webhook, whose id and time do not matter.

        Raises:
            BadWebhook: its URL, its headers or its filters cannot be used.
            StoreAway: the database is busy or away, and nothing was changed.
        """
        require_sense(wanted.events, wanted.task_type, wanted.tag)
        check_headers(wanted.headers)
        self.sender.check_receiver(wanted.url)
        now, secret = self.clock.now(), self.new_secret()
        webhook = dataclasses.replace(wanted, id=make_tokens(1, now)[0], created_at=now)
        self.store.webhooks.add(webhook, secret)
        return webhook, secret

    def get(self, webhook: str) -> Webhook:
        """Return a webhook.

        Raises:
            WebhookNotFound: no webhook has this id.
        """
        return self.store.webhooks.get(_well_formed(webhook))

    def page(self, limit: int, cursor: str | None) -> Page[Webhook]:
        """Return a page of the webhooks, newest first.

        Raises:
            BadCursor: the cursor belongs to no such list.
        """
        found, last = self.store.webhooks.page(limit, read_row(cursor))
        return _page(found, last, self.store.webhooks.count(MOST_COUNTED + 1))

    def remove(self, webhook: str) -> None:
        """Remove a webhook with everything that it has not heard of yet.

        Raises:
            WebhookNotFound: no webhook has this id.
        """
        self.store.webhooks.remove(_well_formed(webhook))

    def rotate(self, webhook: str) -> tuple[str, datetime]:
        """Give a webhook a new secret. Return it, and until when the one before is valid too.

        Raises:
            WebhookNotFound: no webhook has this id.
        """
        secret = self.new_secret()
        return secret, self.store.webhooks.rotate(_well_formed(webhook), secret, self.clock.now(), OVERLAP)

    def enable(self, webhook: str) -> None:
        """Send messages to a webhook again.

        Raises:
            WebhookNotFound: no webhook has this id.
        """
        self.store.webhooks.enable(_well_formed(webhook))

    def own_secret(self) -> str:
        """Return the secret that signs what goes to the addresses of tasks and batches. It is made if needed."""
        return self.store.webhooks.own_secret(self.new_secret())

    def test(self, webhook: str) -> Try:
        """Send a message to a webhook now, and return what came of it.

        Raises:
            WebhookNotFound: no webhook has this id.
        """
        now = self.clock.now()
        to = self.store.webhooks.addressed(_well_formed(webhook), now)
        message, body = make_tokens(1, now)[0], test_body(webhook, now)
        secrets = to.secrets or [self.own_secret()]
        answer = self.sender.send(to.url, {**to.headers, **signed(self.sign, secrets, message, now, body)}, body)
        done = try_of(answer, message=message, type=TEST, count=0, at=now, number=1, outcome=TryResult.TESTED)
        self.store.deliveries.tested(to.row, done)
        return done

    def deliveries(self, webhook: str, limit: int, cursor: str | None) -> Page[Try]:
        """Return a page of the tries to deliver messages to a webhook, newest first.

        Raises:
            WebhookNotFound: no webhook has this id.
            BadCursor: the cursor belongs to no such list.
        """
        row = self._row(webhook)
        found, last = self.store.deliveries.page(row, limit, read_row(cursor))
        return _page(found, last, self.store.deliveries.count(row))

    def redeliver(self, webhook: str, message: str | None, since: datetime | None) -> int:
        """Deliver messages again. Return how many ends they have.

        Args:
            webhook: the id of the webhook.
            message: only this message.
            since: only ends since this time.

        Raises:
            WebhookNotFound: no webhook has this id.
            WebhookDisabled: it gets no messages now.
            DeliveryNotFound: it has no such message.
        """
        if self.get(webhook).disabled_at is not None:
            raise WebhookDisabled
        return self.store.deliveries.redeliver(self._row(webhook), message, since)

    def _row(self, webhook: str) -> int:
        row = self.store.deliveries.row_of(_well_formed(webhook))
        if row is None:
            raise WebhookNotFound
        return row


def signed(sign: Sign, secrets: Sequence[str], message: str, now: datetime, body: bytes) -> dict[str, str]:
    """Return the headers of a message besides those of the webhook."""
    return {"Content-Type": "application/json", "User-Agent": "queue-tool"} | sign(secrets, message, now, body)


def try_of(answer: Answer, **others: Any) -> Try:
    """Return what came of a request as it is recorded; the other fields of `Try` are arguments."""
    return Try(
        status=answer.status,
        answer=answer.text[:SHOWN_ANSWER],
        problem=answer.problem,
        seconds=answer.seconds,
        **others,
    )


def _page(found: Sequence[Any], last: int | None, total: int) -> Page[Any]:
    return Page(
        items=found,
        next=None if last is None else write_cursor(last),
        total=min(total, MOST_COUNTED),
        is_exact=total <= MOST_COUNTED,
    )


def _well_formed(webhook: str) -> str:
    """Return an id before the store gets it: PostgreSQL refuses texts with U+0000.

    Raises:
        WebhookNotFound: no webhook can have this id.
    """
    if not is_well_formed(webhook):
        raise WebhookNotFound
    return webhook
