"""Locks that a transaction takes before it writes, and releases when it ends.

PostgreSQL needs them because many transactions write at the same time. On SQLite they do nothing, because only one
transaction writes at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

from queue_tool.store.engine.postgres import is_postgres
from queue_tool.store.engine.rows import as_rows


def lock_rows(connection: Connection, statement: Select[Any], rows: Iterable[object] | None = None) -> None:
    """Lock the rows that a statement selects. Wait for rows that another transaction has locked.

    Args:
        connection: the connection of a transaction that writes.
        statement: a SELECT with FOR UPDATE. All code that locks these rows must use the same order.
        rows: the values for the statement's parameter `rows`, if it has one (see `queue_tool.store.engine.rows`).
    """
    if is_postgres(connection):
        connection.execute(statement, None if rows is None else as_rows(rows))


def lock_name(connection: Connection, name: str) -> None:
    """Lock an arbitrary name. Another transaction that locks the same name waits until this one ends."""
    if is_postgres(connection):
        connection.execute(_LOCK_NAME, {"name": name})


_LOCK_NAME = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("name"), 0)))
