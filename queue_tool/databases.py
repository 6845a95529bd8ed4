"""The database of a system: opened at a start, after what an interrupted restore left to do."""

from __future__ import annotations

from contextlib import closing

from queue_tool import environment
from queue_tool.host import data_dir, put_aside
from queue_tool.model.settings import Settings, without_secrets
from queue_tool.store import Store, migrations
from queue_tool.store.engine.database import Database
from queue_tool.store.finishing import finish_restore


def open_store(settings: Settings, *, migrate: bool = False) -> Store:
    """Return the store; if `migrate` is true, upgrade the database first.

    Raises:
        DataDirUnusable: the data directory cannot be written to.
        DatabaseReplaced: another file was put in the place of the database by hand.
        SchemaOutdated: the database has another schema version, and `migrate` is false.
        StoreAway: the database is locked.
    """
    database = open_database(settings)
    if migrate:
        migrations.upgrade(database)
    else:
        migrations.require_current(database)
    return Store(database)


def open_database(settings: Settings) -> Database:
    """Return the database, whatever its schema version. An interrupted restore is finished first.

    Raises:
        DataDirUnusable: the data directory cannot be written to.
        DatabaseReplaced: another file was put in the place of the database by hand.
        StoreAway: the database is locked.
    """
    data_dir.prepare(settings.data_dir)
    temporary = data_dir.temporary(settings.data_dir)
    if temporary is not None:
        environment.override({"TMPDIR": str(temporary)})
    database = Database(settings.database)
    finish_restore(database, settings.data_dir.absolute() / put_aside.FOLDER)
    database.require_same_file()
    return database


def upgrade_database(settings: Settings) -> str:
    """Create the database, or upgrade its tables to the version that this program needs.

    Returns:
        A sentence for the operator that names the database, without user and password, and its revision.

    Raises:
        DataDirUnusable: the data directory cannot be written to.
        SchemaOutdated: the database is of a newer version of the program.
        StoreAway: the database is locked or cannot be reached.
    """
    with closing(open_store(settings, migrate=True)) as store:
        revision = migrations.current(store.database)
    return f"The database {without_secrets(settings.database)} is ready, at revision {revision}."
