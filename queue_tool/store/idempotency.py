"""Idempotency keys in the store: what a request did is remembered for 24 hours, in case the request is repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from queue_tool.model.batch import IdempotencyKey, NewBatch
from queue_tool.store.engine.database import Database, micros
from queue_tool.store.engine.locks import lock_name
from queue_tool.store.engine.lookup import Lookup, exists_query
from queue_tool.store.tables import batches, idempotency_keys

LIFETIME = timedelta(hours=24)
"""How long the use of a key is remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What the first request with an idempotency key did."""

    digest: str  # the digest of the request's body
    batch: str | None  # None for an empty array or a task without a batch
    elements: int | None = None  # how many elements the request had; None if that was not kept
    token: str | None = None  # the token of a task without a batch


class IdempotencyKeys:
    """The table of idempotency keys."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database
        self._old = Lookup(database, exists_query(idempotency_keys.c.created_at <= bindparam("before")))

    def recall(self, key: IdempotencyKey, now: datetime) -> Remembered | None:
        """Return the use of a key within its lifetime, or None."""
        with self._database.read() as connection:
            return _recall(connection, key, now)

    def forget(self, now: datetime) -> int:
        """Remove the uses of keys that are older than their lifetime. Return how many were removed."""
        before = micros(now - LIFETIME)
        if self._old.first(before=before) is None:
            return 0
        with self._database.write(durable=False) as connection:
            return connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at <= before)).rowcount


def lock_and_recall(connection: Connection, key: IdempotencyKey, now: datetime) -> Remembered | None:
    """Lock a key until the transaction ends. Return its use within its lifetime, or None."""
    lock_name(connection, _name(key))
    return _recall(connection, key, now)


def lock_keys(connection: Connection, keys: Sequence[IdempotencyKey]) -> None:
    """Lock keys until the transaction ends, always in the same order: then no two transactions block each other."""
    for name in sorted({_name(key) for key in keys}):
        lock_name(connection, name)


def _name(key: IdempotencyKey) -> str:
    return f"{key.scope} {key.key}"


def _recall(connection: Connection, key: IdempotencyKey, now: datetime) -> Remembered | None:
    row = connection.execute(
        select(
            idempotency_keys.c.digest,
            idempotency_keys.c.token,
            idempotency_keys.c.elements,
            func.coalesce(idempotency_keys.c.batch, batches.c.public_id).label("batch"),
        )
        .outerjoin(batches, batches.c.id == idempotency_keys.c.batch_id)
        .where(
            idempotency_keys.c.scope == key.scope,
            idempotency_keys.c.key == key.key,
            idempotency_keys.c.created_at > micros(now - LIFETIME),
        )
    ).first()
    if row is None:
        return None
    return Remembered(digest=row.digest, batch=row.batch, elements=row.elements, token=row.token)


def remember(
    connection: Connection,
    key: IdempotencyKey,
    now: datetime,
    *,
    batch_id: int | None = None,
    batch: NewBatch | None = None,
    token: str | None = None,
) -> None:
    """Remember the use of a key, and delete a use of it that is older than its lifetime.

    Args:
        connection: the connection of a transaction that writes and has locked the key.
        key: the key.
        now: the current time.
        batch_id: the row of the batch that was added, if any.
        batch: that batch.
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
            scope=key.scope,
            key=key.key,
            digest=key.digest,
            batch_id=batch_id,
            batch=batch.id if batch else None,
            elements=len(batch.elements) if batch else None,
            token=token,
            created_at=micros(now),
        )
    )
