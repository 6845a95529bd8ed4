"""The version of the database's tables: found, brought up to date, and refused if it is not the one of this code."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import ProgrammingError

from queue_tool.errors import SchemaOutdated, StoreAway
from queue_tool.store.engine.database import Database
from queue_tool.store.engine.locks import lock_name

LOCK = "queue_tool migrations"
"""The name by which processes that migrate wait for each other."""


def folder() -> Path:
    """Return the folder of the migrations: inside of the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


@cache
def head() -> str:
    """Return the version that this code needs: the last migration's, whose file's name begins with it.

    Alembic would say the same, after it was loaded; every process asks, and hardly one has to migrate.
    """
    return max(path.name.partition("_")[0] for path in (folder() / "versions").glob("[0-9]*.py"))


def current(database: Database) -> str | None:
    """Return the database's version, where Alembic keeps it; None for one that was never made."""
    if not database.exists():
        return None
    with database.read() as connection:
        return version_of(connection)


def version_of(connection: Connection) -> str | None:
    """Return the version of the database of a transaction; None for one that was never made."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return version


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the tables to a revision; safe to run twice, also at once.

    Raises:
        SchemaOutdated: it has one that this code does not know yet.
        StoreAway: the database is locked or cannot be made.
    """
    if revision == "head" and current(database) == head():
        return
    database.prepare()
    try:
        with database.write() as connection:
            upgrade_within(connection, revision)
    except ProgrammingError as error:  # such as a right that is missing
        raise StoreAway(retry_after=1) from error


def upgrade_within(connection: Connection, revision: str = "head") -> None:
    """Bring the tables to a revision in a transaction that is not over with it.

    Raises:
        SchemaOutdated: they have one that this code does not know yet.
    """
    lock_name(connection, LOCK)
    found = version_of(connection)
    if found is not None and found > head():
        raise SchemaOutdated(f"The database is at revision {found}, which is newer than this version of Queue Tool.")
    _run(connection, "upgrade", revision)


def downgrade(database: Database, revision: str) -> None:
    """Take the tables back to an older revision.

    Raises:
        StoreAway: the database is locked.
    """
    with database.write() as connection:
        lock_name(connection, LOCK)
        _run(connection, "downgrade", revision)


def require_current(database: Database) -> None:
    """Do nothing if the database has the version that this code needs.

    Raises:
        SchemaOutdated: it has another one, or none.
    """
    found = current(database)
    if found != head():
        have = f"is at revision {found}" if found else "has not been made yet"
        raise SchemaOutdated(f"The database {have}, and this version needs {head()}: run `queue-tool db upgrade`.")


def _run(connection: Connection, step: str, revision: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    getattr(command, step)(config, revision)
