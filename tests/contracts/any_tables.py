"""Tables of any version, as they are found in a database: described, filled with rows of all kinds, and read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Float, Integer, MetaData, Table, Text, inspect, select

from queue_tool.model.states import State

Row = Mapping[str, Any]
Rows = Mapping[tuple[Any, ...], Row]
"""The rows of a table by their primary keys."""

ROWS = 4 * len(State)
"""Rows that are put into each table at once."""

VALUES: Mapping[type[Any], Callable[[Column[Any], int], object]] = {
    BigInteger: lambda column, number: 2**62 + number,
    Integer: lambda column, number: 2**31 - 1 - number,
    Float: lambda column, number: number / 3,
    Text: lambda column, number: f"{column.name} {number}: ação ✓ '\"\\\n",
}
"""How values of each type are made; for each row another one, so that no key comes twice."""

WORDS: Mapping[str, list[str]] = {"tasks.state": [state.value for state in State]}
"""The values of columns at whose values a migration looks."""


def tables_of(connection: Connection) -> list[Table]:
    """Return the tables that there are, but for Alembic's own."""
    found = MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != "alembic_version"]


def schema_of(connection: Connection) -> dict[str, dict[str, str]]:
    """Return what the database itself says of its tables, each with its columns, keys and indexes."""
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
    """Put rows into every table: with every column filled, with every column NULL that may be, and in between.

    Args:
        connection: of a transaction that writes.
        first: the number of the first row; rows with other numbers may be there already.
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
        words = WORDS.get(f"{table.name}.{column.name}")
        kind = next(kind for kind in VALUES if isinstance(column.type, kind))
        value = words[number % len(words)] if words else VALUES[kind](column, number)
        yield column.name, None if column.nullable and _is_null(number, place) else value


def _is_null(number: int, place: int) -> bool:
    """Tell whether a row leaves a column out: of the first rows none does, of the next ones each, then some do."""
    part, of_part = divmod(number % ROWS, len(State))
    return part == 1 or (part > 1 and (of_part + place) % part == 0)


def _text(described: Any) -> str:
    """Return a description in which nothing is an object, and lists of things with names are in their order."""
    if isinstance(described, list):
        return str(sorted(map(_text, described)))
    if isinstance(described, dict):
        return str({str(key): _text(value) for key, value in sorted(described.items())})
    return str(described)
