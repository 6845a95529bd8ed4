"""Many rows in one parameter of a statement, as a JSON array. One compiled statement serves any number of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, Text, bindparam, cast, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.sql.type_api import TypeEngine
from sqlalchemy.types import NullType

from queue_tool.model import json_text
from queue_tool.store.engine.postgres import is_postgres


class json_each(GenericFunction[Any]):  # noqa: N801 - the function's own name
    """The SQL function that turns a JSON array into a table with the column `value`."""

    inherit_cache = True


class is_among(GenericFunction[Any]):  # noqa: N801 - named like `json_each`
    """Whether a value is one of the texts in a JSON array.

    It has no type: for a Boolean function, SQLAlchemy would add `= 1` on SQLite.
    """

    type = NullType()
    inherit_cache = True


@compiles(is_among)
def _among_on_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    value, array = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{value} IN (SELECT value FROM json_each({array}))"  # noqa: S608 - both parts come from our own statement


@compiles(is_among, "postgresql")
def _among_on_postgres(element: Any, compiler: Any, **kw: Any) -> str:
    value, array = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{value} = ANY(ARRAY(SELECT json_array_elements_text(CAST({array} AS json))))"


@compiles(json_each, "postgresql")
def _each_on_postgres(element: Any, compiler: Any, **kw: Any) -> str:
    return f"json_array_elements(CAST({compiler.process(element.clauses, **kw)} AS json))"


entry = json_each(bindparam("rows", type_=Text)).table_valued("value", name="entry")
"""The rows in the parameter `rows`, as a table with one column. Each row is a JSON array."""


def field(number: int, type_: TypeEngine[Any] | None = None) -> ColumnElement[Any]:
    """Return one field of a row in `entry`.

    Args:
        number: the position of the field, from 0.
        type_: the type to cast the field to. Without it the field is a text.
    """
    text: ColumnElement[Any] = entry.c.value.op("->>")(literal_column(str(number)))
    return text if type_ is None else cast(text, type_)


def as_rows(values: Iterable[object]) -> dict[str, str]:
    """Return the parameter `rows` with these values. Each value is a text or an array."""
    return {"rows": json_text.dumps(list(values)).decode()}


def insert_new(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows and skip those that exist already. Another transaction may insert the same rows at the same time."""
    if rows:
        insert = _insert_of(connection)
        connection.execute(insert(table).on_conflict_do_nothing(), rows)


def _insert_of(connection: Connection) -> Callable[[Table], Any]:
    """Return the INSERT of the connection's dialect. Only that dialect is imported, to keep process starts fast."""
    if is_postgres(connection):
        from sqlalchemy.dialects import postgresql

        return postgresql.insert
    from sqlalchemy.dialects import sqlite

    return sqlite.insert
