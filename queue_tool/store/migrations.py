"""The schema version of the database: read it, migrate it, and check that it is the version this code needs."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from queue_tool.errors import FailureKind, SchemaOutdated, StoreAway
from queue_tool.store.engine.database import Database
from queue_tool.store.engine.locks import lock_name

LOCK = "queue_tool migrations"
"""The name of the lock that allows only one process to migrate at a time."""


def folder() -> Path:
    """Return the folder of the migrations: inside the package in a wheel, next to the package in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


@cache
def head() -> str:
    """Return the revision that this code needs: the one of the last migration, taken from its file name.

    Alembic would return the same, but every process needs the revision and most have no need to import Alembic.
    """
    return max(path.name.partition("_")[0] for path in (folder() / "versions").glob("[0-9]*.py"))


def current(database: Database) -> str | None:
    """Return the revision of the database, or None if it has no tables yet."""
    if not database.exists():
        return None
    with database.read() as connection:
        return version_of(connection)


def version_of(connection: Connection) -> str | None:
    """Return the revision of the connection's database, or None if it has no tables yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return version


def upgrade(database: Database, revision: str = "head") -> None:
    """Upgrade the tables to a revision. It may run twice, even at the same time.

    Raises:
        SchemaOutdated: the database has a newer revision than this code knows.
        StoreAway: the database is locked or cannot be created.
    """
    if revision == "head" and current(database) == head():
        return
    database.prepare()
    try:
        with database.write(unhurried=True) as connection:
            upgrade_within(connection, revision)
    except DBAPIError as error:  # for example, another program has a table of the same name
        raise StoreAway.because(FailureKind.REFUSES) from error


def upgrade_within(connection: Connection, revision: str = "head") -> None:
    """Upgrade the tables to a revision within the caller's transaction.

    Raises:
        SchemaOutdated: the database has a newer revision than this code knows.
    """
    lock_name(connection, LOCK)
    found = version_of(connection)
    _require_known(found)
    _run(connection, "upgrade", revision)


def _require_known(found: str | None) -> None:
    """Check that the database was not upgraded by a newer version of this program.

    Raises:
        SchemaOutdated: it was.
    """
    if found is not None and found > head():
        raise SchemaOutdated(
            f"The database is at revision {found}, which is newer than this version of Queue Tool: "
            "install a newer version."
        )


def downgrade(database: Database, revision: str) -> None:
    """Downgrade the tables to an older revision.

    Raises:
        StoreAway: the database is locked.
    """
    with database.write(unhurried=True) as connection:
        lock_name(connection, LOCK)
        _run(connection, "downgrade", revision)


def require_current(database: Database) -> None:
    """Check that the database has the revision that this code needs.

    Raises:
        SchemaOutdated: the database has another revision, or no tables yet.
    """
    found = current(database)
    _require_known(found)
    if found != head():
        have = f"is at revision {found}" if found else "has no tables yet"
        raise SchemaOutdated(
            f"The database {have}, but this version needs revision {head()}: run `queue-tool db upgrade`."
        )


def _run(connection: Connection, step: str, revision: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    getattr(command, step)(config, revision)
