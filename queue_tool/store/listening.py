"""Listening: whether a webhook or a client of `/events` must hear of the ends in a transaction.

A transaction that ends tasks reads one number with a statement that it has anyway. Only if that number is there, it
writes what they must hear of (see `telling`).
"""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, bindparam, select, update

from queue_tool.store.engine.database import Database
from queue_tool.store.engine.lookup import Lookup
from queue_tool.store.engine.rows import insert_new
from queue_tool.store.tables import listening

LISTENING = select(listening.c.version).scalar_subquery().label("listening")
"""The version of the webhooks and feeds; NULL if nobody listens to ends.

A statement that ends tasks returns it with its rows.
"""


class Listening:
    """Whether anybody listens, for those who are not in a transaction."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._version = Lookup(database, _VERSION)

    def __call__(self) -> bool:
        """Return whether there is a webhook, a task or batch with one of its own, or a feed, or there was one."""
        return self._version.first() is not None


def who_listens(connection: Connection) -> int | None:
    """Return `LISTENING`, for a transaction that has no statement to return it with."""
    version: int | None = connection.execute(_VERSION).scalar()
    return version


def change(connection: Connection) -> None:
    """Give the webhooks and feeds another version, in the transaction that changes them."""
    insert_new(connection, listening, [{"id": 1, "version": _new_version(), "has_own": 0}])
    connection.execute(_CHANGE, {"new": _new_version()})


def begin_own(connection: Connection) -> None:
    """Note that a task or batch has a webhook of its own, so that all transactions look for one from now on."""
    if not connection.execute(HAS_OWN).scalar():
        insert_new(connection, listening, [{"id": 1, "version": _new_version(), "has_own": 1}])
        connection.execute(_BEGIN_OWN, {"new": _new_version()})


def own_secret(connection: Connection, made: str) -> str:
    """Return the service's own secret.

    Args:
        connection: the connection of a transaction that writes.
        made: the secret, if there is none yet.
    """
    insert_new(connection, listening, [{"id": 1, "version": _new_version(), "has_own": 0}])
    connection.execute(_SET_SECRET, {"made": made})
    return str(connection.execute(_SECRET).scalar_one())


def _new_version() -> int:
    """Return a number that no database had before: processes keep what they have read under it."""
    return secrets.randbits(62)


_VERSION = select(listening.c.version)
HAS_OWN = select(listening.c.has_own)
_SECRET = select(listening.c.secret)
_CHANGE = update(listening).values(version=bindparam("new"))
_BEGIN_OWN = update(listening).where(listening.c.has_own == 0).values(has_own=1, version=bindparam("new"))
_SET_SECRET = update(listening).where(listening.c.secret.is_(None)).values(secret=bindparam("made"))
