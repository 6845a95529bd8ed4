"""API keys in the store. Only the digest of a key is stored, never the key itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from queue_tool.errors import KeyNotFound
from queue_tool.model.access import KEY_ROLES, ApiKey
from queue_tool.store.engine.database import Database, micros, moment, moment_or_none
from queue_tool.store.engine.lookup import Lookup
from queue_tool.store.key_tables import api_keys


class Keys:
    """The table of API keys."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self.changes = 0  # how often this object has changed the table
        self._database = database
        self._exist = Lookup(database, _EXIST)
        self._find = Lookup(database, _FIND)
        self._with_id = Lookup(database, _WITH_ID)

    def add(self, key: ApiKey, digest: str) -> None:
        """Add a new key with its digest."""
        with self._database.write() as connection:
            connection.execute(
                insert(api_keys).values(
                    public_id=key.id,
                    name=key.name,
                    role=key.role.name.lower(),
                    digest=digest,
                    created_at=micros(key.created_at),
                )
            )
        self.changes += 1

    def find(self, digest: str) -> ApiKey | None:
        """Return the valid key with this digest, or None."""
        row = self._find.first(digest=digest)
        return None if row is None else _api_key(row)

    def with_id(self, public_id: str) -> ApiKey | None:
        """Return the valid key with this id, or None."""
        row = self._with_id.first(public_id=public_id)
        return None if row is None else _api_key(row)

    def exist(self) -> bool:
        """Return whether any key was ever added.

        Revoked keys count too, because access must not become open when the last key is revoked.
        """
        return self._exist.first() is not None

    def all(self) -> list[ApiKey]:
        """Return all keys, including revoked ones, in the order of their creation."""
        with self._database.read() as connection:
            return [_api_key(row) for row in connection.execute(select(api_keys).order_by(api_keys.c.id))]

    def revoke(self, public_id: str, now: datetime) -> None:
        """Revoke a key. A key that is already revoked does not change.

        Raises:
            KeyNotFound: no key has this id.
        """
        with self._database.write() as connection:
            found = connection.execute(
                update(api_keys)
                .where(api_keys.c.public_id == public_id)
                .values(revoked_at=func.coalesce(api_keys.c.revoked_at, micros(now)))
            ).rowcount
        self.changes += 1
        if not found:
            raise KeyNotFound


_EXIST = select(api_keys.c.id)

_FIND = select(api_keys).where(api_keys.c.digest == bindparam("digest"), api_keys.c.revoked_at.is_(None))

_WITH_ID = select(api_keys).where(api_keys.c.public_id == bindparam("public_id"), api_keys.c.revoked_at.is_(None))


def _api_key(row: Any) -> ApiKey:
    return ApiKey(
        id=row.public_id,
        name=row.name,
        role=KEY_ROLES[row.role],
        created_at=moment(row.created_at),
        revoked_at=moment_or_none(row.revoked_at),
    )
