"""Idempotency keys in the store: what a request did the first time, remembered for a day in case it is sent again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from queue_tool.model.batch import IdempotencyKey
from queue_tool.store.engine.database import Database, micros
from queue_tool.store.engine.locks import lock_name
from queue_tool.store.tables import batches, idempotency_keys

LIFETIME = timedelta(hours=24)
"""For how long a use of a key is remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What an idempotency key was used for before."""

    digest: str  # of the body that came with it
    batch: str | None  # None where the array was empty, or it was one task
    token: str | None = None  # of the one task


class IdempotencyKeys:
    """The table of idempotency keys."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._database = database

    def recall(self, key: IdempotencyKey, now: datetime) -> Remembered | None:
        """Return what a key was used for within its lifetime."""
        with self._database.read() as connection:
            return _recall(connection, key, now)


def lock_and_recall(connection: Connection, key: IdempotencyKey, now: datetime) -> Remembered | None:
    """Return what a key was used for; until the transaction ends, nobody else uses it."""
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
    """Remember what a key is used for now; a use that is older than a day is forgotten."""
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
