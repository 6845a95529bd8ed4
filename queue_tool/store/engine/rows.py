"""Many rows in one parameter of a statement, as a JSON array. One compiled statement serves any number of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Table, Text, bindparam, cast, literal_column, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.sql.type_api import TypeEngine
from sqlalchemy.types import NullType

from queue_tool.model import json_text
from queue_tool.store.engine.postgres import is_postgres


class json_each(GenericFunction[Any]):
    """The SQL function that turns a JSON array into a table with the column `value`."""

    inherit_cache = True


class is_among(GenericFunction[Any]):
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


class json_members(GenericFunction[Any]):
    """The SQL function that turns a JSON object into a table with the columns `key` and `value`."""

    inherit_cache = True


@compiles(json_members, "postgresql")
def _members_on_postgres(element: Any, compiler: Any, **kw: Any) -> str:
    return f"json_each(CAST({compiler.process(element.clauses, **kw)} AS json))"


class json_each_text(GenericFunction[Any]):
    """The SQL function that turns a JSON array of texts into a table with the column `value`."""

    inherit_cache = True


@compiles(json_each_text, "postgresql")
def _texts_on_postgres(element: Any, compiler: Any, **kw: Any) -> str:
    return f"json_array_elements_text({compiler.process(element.clauses, **kw)})"


@compiles(json_each, "postgresql")
def _each_on_postgres(element: Any, compiler: Any, **kw: Any) -> str:
    return f"json_array_elements(CAST({compiler.process(element.clauses, **kw)} AS json))"


class parsed_each(GenericFunction[Any]):
    """The same as `json_each`, and faster if many fields of each row are read: PostgreSQL parses the array once."""

    inherit_cache = True


@compiles(parsed_each, "postgresql")
def _parsed_on_postgres(element: Any, compiler: Any, **kw: Any) -> str:
    return f"jsonb_array_elements(CAST({compiler.process(element.clauses, **kw)} AS jsonb))"


@compiles(json_members)
@compiles(json_each_text)
@compiles(parsed_each)
def _on_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **kw)})"


entry = json_each(bindparam("rows", type_=Text)).table_valued("value", name="entry")
"""The rows in the parameter `rows`, as a table with one column. Each row is a JSON array."""


def field(number: int, type_: TypeEngine[Any] | None = None, of: FromClause = entry) -> ColumnElement[Any]:
    """Return one field of a row in `entry`.

    Args:
        number: the position of the field, from 0.
        type_: the type to cast the field to. Without it the field is a text.
        of: another table like `entry`.
    """
    text: ColumnElement[Any] = of.c.value.op("->>")(literal_column(str(number)))
    return text if type_ is None else cast(text, type_)


_member = json_members(bindparam("rows", type_=Text)).table_valued("key", "value", name="member")

_text = json_each_text(_member.c.value).table_valued("value", name="text")

group: ColumnElement[Any] = _member.c.key
"""The group of a text in `grouped`."""

grouped_text: ColumnElement[Any] = _text.c.value
"""The text in `grouped`."""

grouped = _member.join(_text, true())
"""The texts in the parameter `rows`, by groups. No JSON text is read twice, so it is faster than `entry`."""


def as_groups(texts: Mapping[str, Sequence[str | int]]) -> dict[str, str]:
    """Return the parameter `rows` for `grouped`: the texts of each group. A number is read as its digits."""
    return {"rows": json_text.dumps(texts).decode()}


def as_rows(values: Iterable[object]) -> dict[str, str]:
    """Return the parameter `rows` with these values. Each value is a text or an array."""
    return {"rows": json_text.dumps(list(values)).decode()}


def insert_new(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows and skip those that exist already. Another transaction may insert the same rows at the same time."""
    if rows:
        insert = _insert_of(connection)
        connection.execute(insert(table).on_conflict_do_nothing(), rows)


def insert_or_add(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], column: str) -> None:
    """Insert rows. Where a row with the same key exists already, add the column of the new row to its column.

    All callers must have the same order of keys, because each row is locked until the end of the transaction.
    """
    if rows:
        new = _insert_of(connection)(table)
        added = {column: table.c[column] + new.excluded[column]}
        connection.execute(new.on_conflict_do_update(index_elements=list(table.primary_key), set_=added), rows)


def insert_if_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert a row; return False if its key exists already. Wait for a transaction that has inserted the same key."""
    insert = _insert_of(connection)
    added = insert(table).on_conflict_do_nothing().returning(literal_column("1"))
    return connection.execute(added, dict(row)).first() is not None


def _insert_of(connection: Connection) -> Callable[[Table], Any]:
    """Return the INSERT of the connection's dialect. Only that dialect is imported, to keep process starts fast."""
    if is_postgres(connection):
        from sqlalchemy.dialects import postgresql

        return postgresql.insert
    from sqlalchemy.dialects import sqlite

    return sqlite.insert
