"""Idempotency keys in the store: what a request did is remembered for 24 hours, in case the request is repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Connection, Text, bindparam, delete, func, insert, select

from queue_tool.model.batch import IdempotencyKey, NewBatch
from queue_tool.store.engine.database import Database, micros
from queue_tool.store.engine.locks import lock_name, lock_names
from queue_tool.store.engine.lookup import Lookup, exists_query
from queue_tool.store.engine.rows import as_rows, is_among
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


IS_OLD = idempotency_keys.c.created_at <= bindparam("before")


def oldest_kept(now: datetime) -> int:
    """Return the time before which uses of keys are forgotten."""
    return micros(now - LIFETIME)


class IdempotencyKeys:
    """The table of idempotency keys."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database
        self._old = Lookup(database, exists_query(IS_OLD))

    def recall(self, key: IdempotencyKey, now: datetime) -> Remembered | None:
        """Return the use of a key within its lifetime, or None."""
        with self._database.read() as connection:
            return _recall(connection, key, now)

    def forget(self, now: datetime) -> int:
        """Remove the uses of keys that are older than their lifetime. Return how many were removed."""
        before = oldest_kept(now)
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
    lock_names(connection, sorted({_name(key) for key in keys}))


def unused(connection: Connection, keys: Sequence[IdempotencyKey], now: datetime) -> list[bool]:
    """Return for each key, which this transaction has locked, whether nothing is remembered of it.

    A key that is there twice is new only once.
    """
    seen: set[tuple[str, str]] = set()
    for scope, its in _by_scope(keys).items():
        values = as_rows(its) | {"scope": scope, "after": oldest_kept(now)}
        seen |= {(scope, row.key) for row in connection.execute(_RECALL_ALL, values)}
    answers = []
    for name in ((key.scope, key.key) for key in keys):
        answers.append(name not in seen)
        seen.add(name)
    return answers


def remember_tasks(connection: Connection, uses: Sequence[tuple[IdempotencyKey, str]], now: datetime) -> None:
    """Remember by which keys tasks without a batch were added.

    Args:
        connection: the connection of a transaction that writes and has locked the keys.
        uses: the keys, and the token of the task of each.
        now: the current time.
    """
    for scope, its in _by_scope([key for key, _ in uses]).items():
        connection.execute(_FORGET, as_rows(its) | {"scope": scope, "before": oldest_kept(now)})
    rows = [
        {"scope": key.scope, "key": key.key, "digest": key.digest, "token": token, "created_at": micros(now)}
        for key, token in uses
    ]
    connection.execute(insert(idempotency_keys), rows)


def _by_scope(keys: Sequence[IdempotencyKey]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key in keys:
        found.setdefault(key.scope, []).append(key.key)
    return found


def _name(key: IdempotencyKey) -> str:
    return f"{key.scope} {key.key}"


def _recall(connection: Connection, key: IdempotencyKey, now: datetime) -> Remembered | None:
    values = {"scope": key.scope, "key": key.key, "after": oldest_kept(now)}
    row = connection.execute(_RECALL, values).first()
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
            idempotency_keys.c.created_at <= oldest_kept(now),
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


_USES = (
    select(
        idempotency_keys.c.key,
        idempotency_keys.c.digest,
        idempotency_keys.c.token,
        idempotency_keys.c.elements,
        func.coalesce(idempotency_keys.c.batch, batches.c.public_id).label("batch"),
    )
    .outerjoin(batches, batches.c.id == idempotency_keys.c.batch_id)
    .where(
        idempotency_keys.c.scope == bindparam("scope"),
        idempotency_keys.c.created_at > bindparam("after", type_=BigInteger),
    )
)

_RECALL = _USES.where(idempotency_keys.c.key == bindparam("key"))

_THESE = is_among(idempotency_keys.c.key, bindparam("rows", type_=Text))

_RECALL_ALL = _USES.where(_THESE)

_FORGET = delete(idempotency_keys).where(
    idempotency_keys.c.scope == bindparam("scope"),
    _THESE,
    idempotency_keys.c.created_at <= bindparam("before", type_=BigInteger),
)
