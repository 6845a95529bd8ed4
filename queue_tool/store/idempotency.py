"""Idempotency keys in the store: what a request did is remembered for 24 hours, in case the request is repeated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from queue_tool.model.batch import IdempotencyKey
from queue_tool.store.engine.database import Database, micros
from queue_tool.store.engine.locks import lock_name
from queue_tool.store.tables import batches, idempotency_keys

LIFETIME = timedelta(hours=24)
"""How long the use of a key is remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What the first request with an idempotency key did."""

    digest: str  # the digest of the request's body
    batch: str | None  # None for an empty array or a task without a batch
    token: str | None = None  # the token of a task without a batch


class IdempotencyKeys:
    """The table of idempotency keys."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database

    def recall(self, key: IdempotencyKey, now: datetime) -> Remembered | None:
        """Return the use of a key within its lifetime, or None."""
        with self._database.read() as connection:
            return _recall(connection, key, now)


def lock_and_recall(connection: Connection, key: IdempotencyKey, now: datetime) -> Remembered | None:
    """Lock a key until the transaction ends. Return its use within its lifetime, or None."""
    lock_name(connection, f"{key.scope} {key.key}")
    return _recall(connection, key, now)


def _recall(connection: Connection, key: IdempotencyKey, now: datetime) -> Remembered | None:
    row = connection.execute(
        select(idempotency_keys.c.digest, idempotency_keys.c.token, batches.c.public_id)
        .outerjoin(batches, batches.c.id == idempotency_keys.c.batch_id)
        .where(
            idempotency_keys.c.scope == key.scope,
            idempotency_keys.c.key == key.key,
            idempotency_keys.c.created_at > micros(now - LIFETIME),
        )
    ).first()
    return None if row is None else Remembered(digest=row.digest, batch=row.public_id, token=row.token)


def remember(
    connection: Connection, key: IdempotencyKey, batch_id: int | None, now: datetime, token: str | None = None
) -> None:
    """Remember the use of a key, and delete a use of it that is older than its lifetime.

    Args:
        connection: the connection of a transaction that writes and has locked the key.
        key: the key.
        batch_id: the row of the batch that was added, if any.
        now: the current time.
        token: the token of the task without a batch that was added, if any.
    """
    connection.execute(
        delete(idempotency_keys).where(
            idempotency_keys.c.scope == key.scope,
            idempotency_keys.c.key == key.key,
            idempotency_keys.c.created_at <= micros(now - LIFETIME),
        )
    )
    connection.execute(
        insert(idempotency_keys).values(
            scope=key.scope, key=key.key, digest=key.digest, batch_id=batch_id, token=token, created_at=micros(now)
        )
    )
