"""The identity of a database: its unique id. A copy of the database has the same identity."""

from __future__ import annotations

from sqlalchemy import false, select, update

from queue_tool.store.engine.database import Database
from queue_tool.store.tables import identity, tasks


def identity_of(database: Database) -> str:
    """Return the identity: 32 hexadecimal digits, created together with the tables.

    Raises:
        StoreAway: the database cannot be reached.
    """
    with database.read() as connection:
        value: str = connection.execute(select(identity.c.value)).scalar_one()
    return value


def try_write(database: Database) -> None:
    """Write to the database, and change nothing.

    Raises:
        StoreAway: the database is busy, read-only, full or away, or its user may not write.
    """
    with database.write(durable=False) as connection:
        connection.execute(update(tasks).where(false()).values(state=tasks.c.state))  # needs the right, and no row
        connection.execute(update(identity).values(value=identity.c.value))
