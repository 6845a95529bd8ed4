"""Webhooks in the store. Each change gives them another version, so that transactions that end tasks notice it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, delete, func, insert, select, update

from queue_tool.errors import WebhookNotFound
from queue_tool.model import json_text
from queue_tool.model.delivery import Addressed
from queue_tool.model.webhook import Event, OutboxState, Webhook
from queue_tool.store import listening
from queue_tool.store.engine.clock import database_now
from queue_tool.store.engine.database import Database, micros, moment, moment_or_none
from queue_tool.store.engine.rows import insert_if_new
from queue_tool.store.webhook_tables import deliveries, outbox, webhooks

WAITING = outbox.c.state == OutboxState.WAITING.value


class Webhooks:
    """The registered webhooks, and the addresses of tasks and batches, which nobody registered."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database

    def add(self, new: Webhook, secret: str) -> None:
        """Add a webhook."""
        with self._database.write() as connection:
            connection.execute(insert(webhooks), _row(new, secret))
            listening.change(connection)

    def ensure(self, new: Webhook, secret: str) -> None:
        """Add a webhook, if none has its id."""
        with self._database.write() as connection:
            if insert_if_new(connection, webhooks, _row(new, secret)):
                listening.change(connection)

    def get(self, public_id: str) -> Webhook:
        """Return a webhook.

        Raises:
            WebhookNotFound: no webhook has this id.
        """
        with self._database.read() as connection:
            row = connection.execute(_WITH_WAITING.where(_THIS), {"public": public_id}).first()
        if row is None:
            raise WebhookNotFound
        return _webhook(row)

    def page(self, limit: int, before: int | None) -> tuple[list[Webhook], int | None]:
        """Return webhooks, newest first, and the row before which the next page begins; None on the last page."""
        page = _WITH_WAITING.order_by(webhooks.c.id.desc()).limit(limit + 1)
        with self._database.read() as connection:
            rows = connection.execute(page if before is None else page.where(webhooks.c.id < before)).all()
        return [_webhook(row) for row in rows[:limit]], rows[limit - 1].id if len(rows) > limit else None

    def count(self, most: int) -> int:
        """Return how many webhooks there are, counted up to a number."""
        some = select(webhooks.c.id).limit(most).subquery()
        with self._database.read() as connection:
            return connection.execute(select(func.count()).select_from(some)).scalar_one()

    def remove(self, public_id: str) -> None:
        """Remove a webhook with everything that it has not heard of yet.

        Raises:
            WebhookNotFound: no webhook has this id.
        """
        with self._database.write() as connection:
            row = _row_of(connection, public_id)
            for table in (outbox, deliveries):
                connection.execute(delete(table).where(table.c.webhook_id == row))
            connection.execute(delete(webhooks).where(webhooks.c.id == row))
            listening.change(connection)

    def rotate(self, public_id: str, secret: str, now: datetime, overlap: timedelta) -> datetime:
        """Give a webhook a new secret. Return until when the present one is valid too.

        Raises:
            WebhookNotFound: no webhook has this id, or it is the address of tasks and batches, which share a secret.
        """
        until = micros(now + overlap)
        with self._database.write() as connection:
            found = connection.execute(_ROTATE, {"public": public_id, "new": secret, "until": until}).first()
        if found is None:
            raise WebhookNotFound
        return moment(until)

    def disable(self, row: int, why: str, now: datetime) -> None:
        """Send nothing more to a webhook. What it has not heard of is given up."""
        with self._database.write() as connection:
            disable(connection, row, why, micros(now))

    def enable(self, public_id: str) -> None:
        """Send messages to a webhook again, and begin at once.

        Raises:
            WebhookNotFound: no webhook has this id.
        """
        with self._database.write() as connection:
            _row_of(connection, public_id)
            connection.execute(_ENABLE, {"public": public_id})
            listening.change(connection)

    def own_secret(self, made: str) -> str:
        """Return the secret that signs what goes to the addresses of tasks and batches; if there is none, this one."""
        with self._database.write() as connection:
            return listening.own_secret(connection, made)

    def addressed(self, public_id: str, now: datetime) -> Addressed:
        """Return where a message to a webhook goes.

        Raises:
            WebhookNotFound: no webhook has this id, or it is the address of tasks and batches.
        """
        with self._database.read() as connection:
            row = connection.execute(select(webhooks).where(_THIS, webhooks.c.own == 0), {"public": public_id}).first()
        if row is None:
            raise WebhookNotFound
        return addressed(row, micros(now))


def addressed(row: Any, now: int) -> Addressed:
    """Return where a message to a webhook goes. One that nobody registered gets its secret from the caller.

    Args:
        row: the whole row of the webhook.
        now: the time, as it is stored.
    """
    previous = row.previous_secret if (row.previous_until or 0) > now else None
    return Addressed(
        row=row.id,
        url=row.url,
        headers=_object(row.headers),
        secrets=[secret for secret in (row.secret, previous) if secret is not None],
    )


def disable(connection: Connection, row: int, why: str, now: int) -> None:
    """Do what `Webhooks.disable` says, in the transaction of this connection."""
    connection.execute(_DISABLE, {"row": row, "why": why, "now": now})
    connection.execute(_GIVE_UP, {"row": row})
    listening.change(connection)


def _row(new: Webhook, secret: str) -> dict[str, Any]:
    return {
        "public_id": new.id,
        "url": new.url,
        "own": 0,
        "events": _text(list(new.events)),
        "headers": _text(dict(new.headers)) if new.headers else None,
        "description": new.description,
        "task_type": new.task_type,
        "tag": new.tag,
        "batch": new.batch,
        "secret": secret,
        "created_at": micros(new.created_at),
        "tries": 0,
        "next_at": 0,
    }


def _row_of(connection: Connection, public_id: str) -> int:
    """Return the row of a webhook, and lock it."""
    found = select(webhooks.c.id).where(_THIS).with_for_update()
    row: int | None = connection.execute(found, {"public": public_id}).scalar()
    if row is None:
        raise WebhookNotFound
    return row


def _webhook(row: Any) -> Webhook:
    events: Any = json_text.loads(row.events)
    return Webhook(
        id=row.public_id,
        url=row.url,
        own=bool(row.own),
        events=[Event(event) for event in events],
        headers=_object(row.headers),
        description=row.description,
        task_type=row.task_type,
        tag=row.tag,
        batch=row.batch,
        created_at=moment(row.created_at),
        disabled_at=moment_or_none(row.disabled_at),
        disabled_why=row.disabled_why,
        waiting=row.waiting or 0,
        tries=row.tries,
    )


def _object(text: str | None) -> dict[str, str]:
    found: Any = {} if text is None else json_text.loads(text)
    return dict(found)


def _text(value: object) -> str:
    return json_text.dumps(value).decode()


_THIS = webhooks.c.public_id == bindparam("public")

_WITH_WAITING = select(
    webhooks,
    select(func.sum(outbox.c.count))
    .where(outbox.c.webhook_id == webhooks.c.id, WAITING)
    .scalar_subquery()
    .label("waiting"),
)

_ROTATE = (
    update(webhooks)
    .where(_THIS, webhooks.c.own == 0)
    .values(
        previous_secret=webhooks.c.secret,
        previous_until=bindparam("until", type_=BigInteger),
        secret=bindparam("new"),
    )
    .returning(webhooks.c.id)
)

_ENABLE = update(webhooks).where(_THIS).values(disabled_at=None, disabled_why=None, tries=0, next_at=0)

_DISABLE = (
    update(webhooks)
    .where(webhooks.c.id == bindparam("row"), webhooks.c.disabled_at.is_(None))
    .values(disabled_at=database_now(bindparam("now", type_=BigInteger)), disabled_why=bindparam("why"))
)

_GIVE_UP = update(outbox).where(outbox.c.webhook_id == bindparam("row"), WAITING).values(state=OutboxState.PARKED.value)
