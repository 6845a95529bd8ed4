"""Describe, fill and read the tables of a database at any revision, from what the database itself reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Float, Integer, MetaData, Table, Text, inspect, select

from queue_tool.model.states import State

Row = Mapping[str, Any]
Rows = Mapping[tuple[Any, ...], Row]
"""The rows of a table, by primary key."""

ROWS = 4 * len(State)
"""The number of rows that one `fill` adds to each table."""

VALUES: Mapping[type[Any], Callable[[Column[Any], int], object]] = {
    BigInteger: lambda column, number: 2**62 + number,
    Integer: lambda column, number: 2**31 - 1 - number,
    Float: lambda column, number: number / 3,
    Text: lambda column, number: f"{column.name} {number}: ação ✓ '\"\\\n",
}
"""How to make a value of each column type. Each row number gives another value, so that keys are unique."""

FIXED_VALUES: Mapping[str, list[str]] = {"tasks.state": [state.value for state in State]}
"""The legal values of columns that a migration compares with constants."""


def tables_of(connection: Connection) -> list[Table]:
    """Return the tables in the database, without Alembic's own table."""
    found = MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != "alembic_version"]


def schema_of(connection: Connection) -> dict[str, dict[str, str]]:
    """Return the columns, keys and indexes of each table, as the database reports them."""
    found = inspect(connection)
    return {
        table.name: {
            "columns": _text(found.get_columns(table.name)),
            "primary key": _text(found.get_pk_constraint(table.name)),
            "unique": _text(found.get_unique_constraints(table.name)),
            "indexes": _text(found.get_indexes(table.name)),
        }
        for table in tables_of(connection)
    }


def fill(connection: Connection, first: int = 1) -> None:
    """Add rows to every table: some without NULL, some with NULL in every nullable column, some with a mixture.

    Args:
        connection: a connection in a write transaction.
        first: the number of the first row. Rows with other numbers may exist already.
    """
    for table in tables_of(connection):
        rows = [dict(_values(table, number)) for number in range(first, first + ROWS)]
        connection.execute(table.insert(), rows)


def contents(connection: Connection) -> dict[str, Rows]:
    """Return the rows of every table."""
    return {
        table.name: {
            tuple(getattr(row, column.name) for column in table.primary_key): dict(row._mapping)
            for row in connection.execute(select(table))
        }
        for table in tables_of(connection)
    }


def _values(table: Table, number: int) -> Iterator[tuple[str, object]]:
    for place, column in enumerate(table.columns):
        words = FIXED_VALUES.get(f"{table.name}.{column.name}")
        kind = next(kind for kind in VALUES if isinstance(column.type, kind))
        value = words[number % len(words)] if words else VALUES[kind](column, number)
        yield column.name, None if column.nullable and _is_null(number, place) else value


def _is_null(number: int, place: int) -> bool:
    """Return whether a row leaves a nullable column NULL: never in the first rows, then always, then sometimes."""
    part, of_part = divmod(number % ROWS, len(State))
    return part == 1 or (part > 1 and (of_part + place) % part == 0)


def _text(described: Any) -> str:
    """Return a description as text, with sorted lists and keys, so that two descriptions can be compared."""
    if isinstance(described, list):
        return str(sorted(map(_text, described)))
    if isinstance(described, dict):
        return str({str(key): _text(value) for key, value in sorted(described.items())})
    return str(described)
