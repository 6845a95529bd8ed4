"""Many rows for one statement: a JSON array in one parameter, so that it is compiled once, however many they are."""

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
    """The elements of a JSON array, as a table whose column is `value`."""

    inherit_cache = True


class is_among(GenericFunction[Any]):  # noqa: N801 - so that the two are of a kind
    """Whether a value is among the texts of a JSON array; as a Boolean, SQLite would be asked whether it equals 1."""

    type = NullType()
    inherit_cache = True


@compiles(is_among)
def _among_on_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    value, array = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{value} IN (SELECT value FROM json_each({array}))"  # noqa: S608 - pieces of a statement of ours


@compiles(is_among, "postgresql")
def _among_on_postgres(element: Any, compiler: Any, **kw: Any) -> str:
    value, array = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{value} = ANY(ARRAY(SELECT json_array_elements_text(CAST({array} AS json))))"


@compiles(json_each, "postgresql")
def _each_on_postgres(element: Any, compiler: Any, **kw: Any) -> str:
    return f"json_array_elements(CAST({compiler.process(element.clauses, **kw)} AS json))"


entry = json_each(bindparam("rows", type_=Text)).table_valued("value", name="entry")
"""The rows that the parameter `rows` holds, each an array, as a table of one column."""


def field(number: int, type_: TypeEngine[Any] | None = None) -> ColumnElement[Any]:
    """Return a field of an entry: a text, or what it is as another type."""
    text: ColumnElement[Any] = entry.c.value.op("->>")(literal_column(str(number)))
    return text if type_ is None else cast(text, type_)


def as_rows(values: Iterable[object]) -> dict[str, str]:
    """Return the parameter `rows` with these values, each a text or an array."""
    return {"rows": json_text.dumps(list(values)).decode()}


def insert_new(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows of which some may be there already, put there by somebody else in this very moment."""
    if rows:
        insert = _insert_of(connection)
        connection.execute(insert(table).on_conflict_do_nothing(), rows)


def _insert_of(connection: Connection) -> Callable[[Table], Any]:
    """Return a database's own INSERT; the other kind's is not loaded, which a process would feel when it starts."""
    if is_postgres(connection):
        from sqlalchemy.dialects import postgresql

        return postgresql.insert
    from sqlalchemy.dialects import sqlite

    return sqlite.insert
