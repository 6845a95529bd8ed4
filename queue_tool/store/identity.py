"""The identity of a database: what tells it from every other one. A copy of it has the same."""

from __future__ import annotations

from sqlalchemy import select

from queue_tool.store.engine.database import Database
from queue_tool.store.tables import identity


def identity_of(database: Database) -> str:
    """Return the identity, 32 hexadecimal digits that were made with the database.

    Raises:
        StoreAway: the database is not there.
    """
    with database.read() as connection:
        value: str = connection.execute(select(identity.c.value)).scalar_one()
    return value
