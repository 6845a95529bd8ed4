"""The identity of a database: its unique id. A copy of the database has the same identity."""

from __future__ import annotations

from sqlalchemy import select

from queue_tool.store.engine.database import Database
from queue_tool.store.tables import identity


def identity_of(database: Database) -> str:
    """Return the identity: 32 hexadecimal digits, created together with the tables.

    Raises:
        StoreAway: the database cannot be reached.
    """
    with database.read() as connection:
        value: str = connection.execute(select(identity.c.value)).scalar_one()
    return value
