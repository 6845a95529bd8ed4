"""Locks that a transaction takes before it writes, and gives back at its end.

They are for PostgreSQL, where many write at once. On SQLite, where one transaction writes at a time, every lock is
there already and nothing is done.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

from queue_tool.store.engine.postgres import is_postgres
from queue_tool.store.engine.rows import as_rows


def lock_rows(connection: Connection, statement: Select[Any], rows: Iterable[object] | None = None) -> None:
    """Lock the rows that a statement finds; one that somebody else has locked is waited for.

    Args:
        connection: of a transaction that writes.
        statement: a SELECT with FOR UPDATE, in an order that is the same for everybody who locks these rows.
        rows: what its parameter `rows` holds (`queue_tool.store.engine.rows`), if it has one.
    """
    if is_postgres(connection):
        connection.execute(statement, None if rows is None else as_rows(rows))


def lock_name(connection: Connection, name: str) -> None:
    """Lock a name that stands for anything; whoever locks the same name at the same time waits."""
    if is_postgres(connection):
        connection.execute(_LOCK_NAME, {"name": name})


_LOCK_NAME = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("name"), 0)))
