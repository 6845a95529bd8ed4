"""Describe, fill and read the tables of a database at any revision, from what the database itself reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Float, Inspector, Integer, MetaData, Table, Text

from queue_tool.model.states import State

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of a table. They are tuples, because dicts would take most of the time of a test with many rows."""

    key: frozenset[str]  # the columns of the primary key
    columns: tuple[str, ...]
    values: list[tuple[Any, ...]]

    def of(self, columns: Iterable[str]) -> set[Any]:
        """Return the values in these columns of each row.

        Raises:
            ValueError: the table has no such column.
        """
        return set(map(itemgetter(*map(self.columns.index, columns)), self.values))

    def changed(self, change: Callable[[Row], Row | None]) -> Rows:
        """Return the rows that `change` makes of these; it returns None for a row to leave out."""
        made = filter(None, (change(dict(zip(self.columns, row, strict=True))) for row in self.values))
        return Rows(key=self.key, columns=self.columns, values=[tuple(row.values()) for row in made])


ROWS = 4 * len(State)
"""The most rows that one `fill` adds to a table."""

WITH_STATES = ("batches", "tasks")
"""The tables that get all of these rows: tasks have states, and refer to batches."""

VALUES: Mapping[type[Any], Callable[[Column[Any], int], object]] = {
    BigInteger: lambda column, number: 2**62 + number,
    Integer: lambda column, number: 2**31 - 1 - number,
    Float: lambda column, number: number / 3,
    Text: lambda column, number: f"{column.name} {number}: ação ✓ '\"\\\n",
}
"""How to make a value of each column type. Each row number gives another value, so that keys are unique."""

FIXED_VALUES: Mapping[str, list[str]] = {"tasks.state": [state.value for state in State]}
"""The legal values of columns that a migration compares with constants."""


def tables_of(found: Inspector) -> list[Table]:
    """Return the tables in the database, without Alembic's own table. A table comes after those that it refers to."""
    columns, keys = found.get_multi_columns(), found.get_multi_pk_constraint()
    return [
        Table(
            name,
            MetaData(),
            *(
                Column(
                    column["name"],
                    column["type"],
                    primary_key=column["name"] in keys[None, name]["constrained_columns"],
                    nullable=column["nullable"],
                )
                for column in columns[None, name]
            ),
        )
        for name, _ in found.get_sorted_table_and_fkc_names()
        if name not in (None, "alembic_version")
    ]


def schema_of(found: Inspector) -> dict[str, dict[str, str]]:
    """Return the columns, keys and indexes of each table, as the database reports them."""
    described: Mapping[str, Mapping[Any, Any]] = {
        "columns": found.get_multi_columns(),
        "primary key": found.get_multi_pk_constraint(),
        "unique": found.get_multi_unique_constraints(),
        "indexes": found.get_multi_indexes(),
    }
    return {
        name: {part: _text(of_all[None, name]) for part, of_all in described.items()}
        for name in found.get_table_names()
        if name != "alembic_version"
    }


def fill(connection: Connection, tables: list[Table], first: int = 1) -> None:
    """Add rows to every table: some without NULL, some with NULL in every nullable column, some with a mixture.

    Tasks of each state have all of these. The other tables get one row of each kind.

    Args:
        connection: a connection in a write transaction.
        tables: what `tables_of` returned.
        first: the number of the first row. Rows with other numbers may exist already.
    """
    for table in tables:
        numbers = range(first, first + ROWS)
        chosen = numbers if table.name in WITH_STATES else {_kind(number): number for number in numbers}.values()
        connection.execute(table.insert(), [dict(_values(table, number)) for number in chosen])


def contents(connection: Connection, tables: list[Table]) -> dict[str, Rows]:
    """Return the rows of every table, with the values that the driver returns."""
    rows: dict[str, Rows] = {}
    for table in tables:
        key = frozenset(column.name for column in table.primary_key)
        read = connection.exec_driver_sql(f'SELECT * FROM "{table.name}"')
        rows[table.name] = Rows(key=key, columns=tuple(read.keys()), values=list(map(tuple, read.all())))
    return rows


def _values(table: Table, number: int) -> Iterator[tuple[str, object]]:
    for place, column in enumerate(table.columns):
        words = FIXED_VALUES.get(f"{table.name}.{column.name}")
        kind = next(kind for kind in VALUES if isinstance(column.type, kind))
        value = words[number % len(words)] if words else VALUES[kind](column, number)
        yield column.name, None if column.nullable and _is_null(number, place) else value


def _is_null(number: int, place: int) -> bool:
    """Return whether a row leaves a nullable column NULL: never in the first rows, then always, then sometimes."""
    part, shift = _kind(number)
    return part == 1 or (part > 1 and (shift + place) % part == 0)


def _kind(number: int) -> tuple[int, int]:
    """Return which columns a row leaves NULL: rows of the same kind leave the same ones."""
    part, of_part = divmod(number % ROWS, len(State))
    return part, of_part % max(part, 1)


def _text(described: Any) -> str:
    """Return a description as text, with sorted lists and keys, so that two descriptions can be compared."""
    if isinstance(described, list):
        return str(sorted(map(_text, described)))
    if isinstance(described, dict):
        return str({str(key): _text(value) for key, value in sorted(described.items())})
    return str(described)
