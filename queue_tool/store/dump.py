"""Backup and restore of a database on a server, by the server's own programs."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, func, inspect, select

from queue_tool.errors import CannotBackUp, CannotRestore
from queue_tool.store import migrations
from queue_tool.store.backup import Content, Restored
from queue_tool.store.engine import server_tools
from queue_tool.store.engine.database import Database
from queue_tool.store.engine.generation import sync_folder
from queue_tool.store.engine.server_tools import ServerTools
from queue_tool.store.indexes import metadata
from queue_tool.store.restored import SKIPPED, statements
from queue_tool.store.tables import batches, identity, tasks

TABLES = (*sorted(metadata.tables), "alembic_version")

OLDEST = "0012"
"""The oldest revision whose backup can be restored: the statements of a restore use its columns."""


def back_up(database: Database, file: Path, environment: Mapping[str, str], *, force: bool) -> Content:
    """Write all tables of a database to a file, in the custom format of `pg_dump`. The database may be in use.

    Raises:
        CannotBackUp: the file exists or cannot be written, the database has no tables, or `pg_dump` fails.
        StoreAway: the database is busy or away.
    """
    if file.is_dir() or (file.exists() and not force):
        raise CannotBackUp(f"{file} exists: name another file, or replace it with --force.")
    content, schema = _found(database)
    if content is None:
        raise CannotBackUp("The database has no tables of Queue Tool.")
    with database.read() as connection:
        present = sorted({*inspect(connection).get_table_names()} & {*TABLES})
    tools = ServerTools(database.url, environment)
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        tools.dump(part, schema, present)
        size = part.stat().st_size
        _revision_in(tools, part, schema)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(file)
        sync_folder(file.absolute().parent)
    except OSError as error:
        raise CannotBackUp(f"The backup {file} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
    return replace(content, size=size)


def restore(
    database: Database, file: Path, environment: Mapping[str, str], aside: Path, now: datetime, *, keep_identity: bool
) -> Restored:
    """Put a backup in the place of the tables of a database, in one transaction. The old tables are dumped before.

    Args:
        database: the database, which may have no tables.
        file: a backup.
        environment: the environment of the server's programs.
        aside: the file for the dump of the old tables.
        now: the time.
        keep_identity: whether the restored database keeps the identity of the backup.

    Raises:
        CannotRestore: the file is no backup, is damaged, or is of another version, or a program fails.
        CannotBackUp: the old tables cannot be dumped.
        DatabaseInUse: another client uses the database.
        StoreAway: the database is busy or away.
    """
    if not file.is_file():
        raise CannotRestore(f"The backup {file} cannot be read: there is no such file.")
    tools = ServerTools(database.url, environment)
    old, schema = _found(database)
    _require_restorable(tools, file, schema)
    with database.read() as connection:
        server_tools.require_unused(connection)
    database.close()
    if old is not None:
        back_up(database, aside, environment, force=False)
    database.close()
    changes = "".join(_changes(schema, None if keep_identity else uuid.uuid4().hex, now))
    running = _replace_tables(tools, file, schema, changes)
    content, _ = _found(database)
    assert content is not None  # its tables were made a moment ago
    return Restored(
        content=replace(content, size=file.stat().st_size),
        running=running,
        aside=aside if old is not None else None,
    )


def _require_restorable(tools: ServerTools, file: Path, schema: str) -> None:
    """Raise an error if this version cannot restore a backup."""
    revision = _revision_in(tools, file, schema)
    if not OLDEST <= revision <= migrations.head():
        raise CannotRestore(
            f"The backup {file} is at revision {revision}, and this version of Queue Tool restores revisions from "
            f"{OLDEST} to {migrations.head()}: use the version that made it."
        )


_RUNNING = re.compile(r"running: (\d+)")


def _replace_tables(tools: ServerTools, file: Path, schema: str, changes: str) -> int:
    """Replace the tables by those of a backup, and change these, at once. Return how many tasks ran there."""
    with TemporaryDirectory(prefix="queue_tool") as folder:
        scripts = [Path(folder) / name for name in ("removal", "backup", "changes")]
        scripts[0].write_text(server_tools.removal(schema, TABLES), "utf-8")
        tools.script(file, scripts[1])
        scripts[2].write_text(changes, "utf-8")
        running = _RUNNING.search(tools.run(scripts))
    return int(running[1]) if running else 0


def _revision_in(tools: ServerTools, file: Path, schema: str) -> str:
    """Return the revision of a backup.

    Raises:
        CannotRestore: the file is no backup of this program, or its tables are of another schema.
    """
    contents = tools.contents(file)
    if f"TABLE DATA {schema} tasks " not in contents:
        raise CannotRestore(f"The file {file} is no backup of Queue Tool's tables in the schema {schema}.")
    (revision,) = tools.rows(file, "alembic_version")
    return revision


def _changes(schema: str, new_identity: str | None, now: datetime) -> Iterator[str]:
    yield server_tools.search_in(schema)
    yield "SELECT 'running: ' || count(*) FROM tasks WHERE state = 'running';\n"
    yield from map(server_tools.as_text, statements(new_identity, now))
    for table in metadata.sorted_tables:
        if table.autoincrement_column is not None:
            yield server_tools.ids_moved_on(table.name, table.autoincrement_column.name, SKIPPED)


def _found(database: Database) -> tuple[Content | None, str]:
    """Return what the database holds, if it has tables of ours, and the schema of its tables."""
    with database.read() as connection:
        schema, revision = server_tools.schema_of(connection), migrations.version_of(connection)
        return (None if revision is None else _content(connection, revision)), schema


def _content(connection: Connection, revision: str) -> Content:
    return Content(
        identity=connection.execute(select(identity.c.value)).scalar_one(),
        revision=revision,
        tasks=connection.execute(select(func.count()).select_from(tasks)).scalar_one(),
        batches=connection.execute(select(func.count()).select_from(batches)).scalar_one(),
        size=0,
    )
