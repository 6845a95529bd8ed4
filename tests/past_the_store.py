"""Read and change the database of a test without the store, on SQLite or PostgreSQL; its URL names which."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from tests.support import eventually

SQLITE = "sqlite:///"


@contextmanager
def opened(url: str) -> Iterator[Any]:
    """Open a connection that commits each statement at once."""
    if url.startswith(SQLITE):
        path = url.removeprefix(SQLITE)
        with closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as connection:
            yield connection
        return
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    with opened(url) as connection:
        found: list[tuple[Any, ...]] = connection.execute(query).fetchall()
        return found


class Reader:
    """Sends queries to the database of a test, many of them one after the other."""

    def __init__(self, url: str) -> None:
        """Connect to nothing yet."""
        self._url = url
        self._kept: Any = None  # a connection to PostgreSQL: to open one takes forty times as long as a query

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        if self._url.startswith(SQLITE):
            return rows(self._url, query)
        import psycopg

        if self._kept is None:
            self._kept = psycopg.connect(self._url, autocommit=True)
        try:
            found: list[tuple[Any, ...]] = self._kept.execute(query).fetchall()
        except psycopg.OperationalError:  # the test has ended the server or its connections
            self.close()
            return rows(self._url, query)
        return found

    def close(self) -> None:
        """Close the connection."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None


def note(url: str, table: str, *columns: str, of: str, on: str, when: str) -> None:
    """Record updates: a trigger adds a row to a new table for each update that meets the condition.

    Args:
        url: the database.
        table: the name of the new table that holds the records.
        columns: the columns of the updated row that a record keeps.
        of: the table to watch.
        on: the kind of update, for example `UPDATE OF state`.
        when: the condition, an expression over NEW and OLD.
    """
    values = ", ".join(f"NEW.{column}" for column in columns)
    insert = f"INSERT INTO {table} VALUES ({values});"
    statements = [f"CREATE TABLE {table} AS SELECT {', '.join(columns)} FROM {of} WHERE 1 = 0"]
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


def refuse(url: str, when: str) -> None:
    """Let the database refuse the updates of tasks that meet a condition over NEW and OLD."""
    trigger = "CREATE TRIGGER refuse BEFORE UPDATE ON tasks"
    with opened(url) as connection:
        if url.startswith(SQLITE):
            connection.execute(f"{trigger} WHEN {when} BEGIN SELECT RAISE(ABORT, 'the test refuses it'); END")
            return
        function = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        connection.execute(f"{function} 'BEGIN RAISE EXCEPTION $$the test refuses it$$; END'")
        connection.execute(f"{trigger} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION refuse()")


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Lock a database, as a long transaction of another writer does."""
    with opened(url) as connection:
        if url.startswith(SQLITE):
            connection.execute("BEGIN IMMEDIATE")
        else:
            eventually(lambda: _has_locked_tables(connection))
        yield
        connection.execute("ROLLBACK")


def _has_locked_tables(connection: Any) -> bool:
    """Lock all tables or none: who holds one lock while it waits for another may be a victim of a deadlock."""
    import psycopg

    connection.execute("BEGIN")
    try:
        connection.execute("LOCK TABLE tasks, batches, workers, idempotency_keys IN EXCLUSIVE MODE NOWAIT")
    except psycopg.errors.LockNotAvailable:
        connection.execute("ROLLBACK")
        return False
    return True
