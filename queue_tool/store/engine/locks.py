"""Locks that a transaction takes before it writes, and releases when it ends.

PostgreSQL needs them because many transactions write at the same time. On SQLite they do nothing, because only one
transaction writes at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Select, Text, bindparam, func, select, text

from queue_tool.store.engine.postgres import is_postgres
from queue_tool.store.engine.rows import as_rows


def writes_alone(connection: Connection) -> bool:
    """Return whether no other transaction writes until this one ends: what it has read stays true."""
    return not is_postgres(connection)


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


def lock_names(connection: Connection, names: Sequence[str]) -> None:
    """Lock arbitrary names, one after the other. All code that locks such names must use the same order."""
    if len(names) == 1:
        lock_name(connection, names[0])
    elif names and is_postgres(connection):
        connection.execute(_LOCK_NAMES, as_rows(names)).all()


_LOCK_NAME = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("name"), 0)))

_LOCK_NAMES = text(
    "SELECT pg_advisory_xact_lock(hashtextextended(value, 0)) FROM json_array_elements_text(CAST(:rows AS json))"
).bindparams(bindparam("rows", type_=Text))
"""The names come in the order of the array, and are locked in it."""
