"""Bulk: INSERTs of thousands of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, Connection, Insert, Table, insert, literal_column, select, text
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from queue_tool.model.made_once import made_once
from queue_tool.store.engine.direct import Direct
from queue_tool.store.engine.postgres import is_postgres
from queue_tool.store.engine.rows import as_rows, field

MOST = 5000
"""The most rows in one JSON text."""

STEP = 500
"""The rows of a statement that has a parameter for each value. Its text is always the same, so it is prepared once."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column whose value differs from row to row."""

    number: int  # its position in the rows, from 0
    kind: TypeEngine[Any] | None = None  # None: a text


Column = ColumnElement[Any] | Field
"""The value of a column: the same expression for all rows, or a field of each row."""


@dataclass(frozen=True)
class BulkInsert:
    """An INSERT of many rows.

    The rows are in a JSON text. SQLite reads parameters twice as fast as that, so there the rows come as parameters in
    statements of `STEP` rows, and only the rest is in a JSON text.
    """

    table: Table
    columns: Mapping[str, Column]

    def __call__(
        self, connection: Connection, shared: Mapping[str, object], values: Sequence[Sequence[object]]
    ) -> None:
        """Insert the rows in their order.

        Args:
            connection: the connection of a transaction that writes.
            shared: the parameters of the other columns.
            values: the values of each field, by its number.
        """
        count = len(values[0])
        start = 0 if is_postgres(connection) else count - count % STEP
        self._insert_steps(connection, shared, values, start)
        for first in range(start, count, MOST):
            part = [each[first : first + MOST] for each in values]
            self._of_json.run(connection, {**shared, **as_rows(zip(*part, strict=True))})

    def _insert_steps(
        self, connection: Connection, shared: Mapping[str, object], values: Sequence[Sequence[object]], count: int
    ) -> None:
        if not count:
            return
        sql, names = self._of_parameters
        before = tuple(shared[name] for name in names)
        for first in range(0, count, STEP):
            rows = zip(*(each[first : first + STEP] for each in values), strict=True)
            connection.exec_driver_sql(sql, (*before, *chain.from_iterable(rows)))

    @made_once
    def _of_json(self) -> Direct:
        """Return the statement that takes all rows from a JSON text."""
        return Direct(self._from({name: _in_json(column) for name, column in self.columns.items()}))

    @made_once
    def _of_parameters(self) -> tuple[str, Sequence[str]]:
        """Return the statement for SQLite, and the names of the parameters before those of the rows."""
        from sqlalchemy.dialects import sqlite  # a process that uses PostgreSQL does not need it

        row = ", ".join("?" for column in self.columns.values() if isinstance(column, Field))
        rows = text(f"(VALUES {', '.join([f'({row})'] * STEP)})")
        statement = self._from({name: _in_values(column) for name, column in self.columns.items()}, rows)
        compiled = statement.compile(dialect=sqlite.dialect())
        assert isinstance(compiled, SQLCompiler)
        return compiled.string, compiled.positiontup or ()

    def _from(self, columns: Mapping[str, ColumnElement[Any]], *source: Any) -> Insert:
        return insert(self.table).from_select(list(columns), select(*columns.values()).select_from(*source))


def _in_json(column: Column) -> ColumnElement[Any]:
    return field(column.number, column.kind) if isinstance(column, Field) else column


def _in_values(column: Column) -> ColumnElement[Any]:
    return literal_column(f"column{column.number + 1}") if isinstance(column, Field) else column
