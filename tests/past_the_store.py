"""The database of a test, asked and changed past the store: on SQLite or PostgreSQL, as its URL says."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

SQLITE = "sqlite:///"


@contextmanager
def opened(url: str) -> Iterator[Any]:
    """Open a connection on which every statement stands for itself."""
    if url.startswith(SQLITE):
        path = url.removeprefix(SQLITE)
        with closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as connection:
            yield connection
        return
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    """Ask a database."""
    with opened(url) as connection:
        found: list[tuple[Any, ...]] = connection.execute(query).fetchall()
        return found


def note(url: str, table: str, *columns: str, of: str, on: str, when: str) -> None:
    """Let a database keep a diary: a row of these columns in a table of its own, for each update that is meant.

    Args:
        url: the database.
        table: the diary; it is made here.
        columns: those of the table that is watched, which are kept of its new row.
        of: the table that is watched.
        on: the kind of update, as `UPDATE OF state`.
        when: the condition, over NEW and OLD.
    """
    values = ", ".join(f"NEW.{column}" for column in columns)
    insert = f"INSERT INTO {table} VALUES ({values});"  # noqa: S608 - names that the tests give - all of it is ours, as below
    statements = [f"CREATE TABLE {table} AS SELECT {', '.join(columns)} FROM {of} WHERE 1 = 0"]  # noqa: S608 - names that the tests give
    trigger = f"CREATE TRIGGER note_{table} AFTER {on} ON {of}"
    if url.startswith(SQLITE):
        statements.append(f"{trigger} WHEN {when} BEGIN {insert} END")
    else:
        function = f"CREATE FUNCTION note_{table}() RETURNS trigger LANGUAGE plpgsql AS"
        statements.append(f"{function} 'BEGIN {insert} RETURN NULL; END'")
        statements.append(f"{trigger} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION note_{table}()")
    with opened(url) as connection:
        for statement in statements:
            connection.execute(statement)


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Hold a database as somebody does who writes for long."""
    with opened(url) as connection:
        connection.execute("BEGIN IMMEDIATE" if url.startswith(SQLITE) else "BEGIN")
        if not url.startswith(SQLITE):
            connection.execute("LOCK TABLE tasks, batches, workers, idempotency_keys IN EXCLUSIVE MODE")
        yield
        connection.execute("ROLLBACK")
