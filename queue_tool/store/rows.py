"""Many rows for one statement: a JSON array in one parameter, so that it is compiled once, however many they are."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, literal_column

entry = func.json_each(bindparam("rows")).table_valued("value", name="entry")
"""The rows that the parameter `rows` holds, as a table of one column."""


def field(number: int) -> ColumnElement[Any]:
    """Return a field of an entry that is an array itself."""
    return entry.c.value.op("->>")(literal_column(str(number)))
