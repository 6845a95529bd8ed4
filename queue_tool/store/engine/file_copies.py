"""Copies of a SQLite database: made while it is in use, checked, and changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, NullPool, create_engine

Progress = Callable[[int, int], object]
"""Is called after each step with the pages that are copied and all pages."""

PAGES = 1000
"""Pages that one step copies."""

FIRST_SCHEMA_VERSION = 1000
"""The schema version of a restored database. It is higher than the one that the backup API gives to a copy: 1."""


def copy(source: Path, target: Path, progress: Progress) -> None:
    """Copy a database as it is at this moment. Other connections may read and write it meanwhile.

    Args:
        source: the database, with its `-wal` file if it has one.
        target: an empty file.
        progress: is called after each step.
    """
    with closing(_opened(source, mode="ro")) as reading, closing(_opened(target)) as writing:
        reading.execute("BEGIN")  # all steps read this snapshot: otherwise each change would restart the copy
        reading.execute("SELECT count(*) FROM sqlite_master").fetchone()
        reading.backup(writing, pages=PAGES, progress=lambda _, left, total: progress(total - left, total))
        reading.execute("ROLLBACK")
        writing.execute("PRAGMA journal_mode=DELETE").fetchone()  # one file, without a `-wal` beside it


def problem_of(path: Path) -> str | None:
    """Return the first problem that SQLite finds in a database file. None if it finds none. It reads every page."""
    with closing(_opened(path, mode="ro")) as reading:
        found = str(reading.execute("PRAGMA integrity_check(1)").fetchone()[0])
    return None if found == "ok" else found.splitlines()[-1].rstrip(".")  # the lines before say which database


@contextmanager
def editing(path: Path) -> Iterator[Connection]:
    """Run one transaction in a database file that no other connection uses. It is committed at the end of the block."""
    engine = create_engine(URL.create("sqlite", database=str(path)), poolclass=NullPool, hide_parameters=True)
    with engine.begin() as connection:
        yield connection


def move_ids_on(connection: Connection, by: int) -> None:
    """Let each table that never reuses ids skip this many."""
    tables = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%AUTOINCR%'")
    for (name,) in tables.all():
        values = {"table": name, "by": by}
        if not connection.exec_driver_sql(_MOVE_ON, values).rowcount:
            connection.exec_driver_sql(_BEGIN_AT, values)


_MOVE_ON = "UPDATE sqlite_sequence SET seq = seq + :by WHERE name = :table"
_BEGIN_AT = "INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :by)"


def seal(path: Path, number: int) -> None:
    """Write a generation into a copy, and wait until the copy is on the disk. 0 means that no system uses it."""
    with closing(_opened(path)) as writing:
        writing.execute(f"PRAGMA user_version={number}").close()
        if number:
            writing.execute(f"PRAGMA schema_version={FIRST_SCHEMA_VERSION}").close()
            writing.execute("PRAGMA journal_mode=WAL").fetchone()
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _opened(path: Path, **query: str) -> Any:
    """Return a connection of the driver to a database file, outside of any transaction."""
    url = URL.create("sqlite", database=f"file:{_quoted(path)}", query={"uri": "true"} | query)
    engine = create_engine(url, poolclass=NullPool)
    borrowed = engine.raw_connection()
    connection: Any = borrowed.driver_connection
    borrowed.detach()
    connection.isolation_level = None
    return connection


def _quoted(path: Path) -> str:
    """Return a path as SQLite reads it in a URI."""
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
