"""The database's version: found, brought up to date, and refused where it is another one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from queue_tool.errors import SchemaOutdated
from queue_tool.store.database import Database


def folder() -> Path:
    """Return the folder of the migrations: inside of the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


@cache
def head() -> str:
    """Return the version that this code needs."""
    return ScriptDirectory(str(folder())).get_current_head() or ""


def current(database: Database) -> str | None:
    """Return the database's version; None for one that was never made."""
    if not database.path.exists():
        return None
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the tables to a revision; safe to run twice, also at once.

    Raises:
        StoreAway: the database is locked or cannot be made.
    """
    if revision == "head" and current(database) == head():
        return
    _run(database, command.upgrade, revision)


def downgrade(database: Database, revision: str) -> None:
    """Take the tables back to an older revision.

    Raises:
        StoreAway: the database is locked.
    """
    _run(database, command.downgrade, revision)


def require_current(database: Database) -> None:
    """Do nothing if the database has the version that this code needs.

    Raises:
        SchemaOutdated: it has another one, or none.
    """
    found = current(database)
    if found != head():
        have = f"is at revision {found}" if found else "has not been made yet"
        raise SchemaOutdated(f"The database {have}, and this version needs {head()}: run `queue-tool db upgrade`.")


def _run(database: Database, step: Callable[[Config, str], None], revision: str) -> None:
    database.make_private()
    config = Config()
    config.set_main_option("script_location", str(folder()).replace("%", "%%"))
    with database.write() as connection:
        config.attributes["connection"] = connection
        step(config, revision)
