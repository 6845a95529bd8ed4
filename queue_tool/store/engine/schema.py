"""Parts of table definitions that differ between SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy
from sqlalchemy import BigInteger, Column, Index, Integer, text

RowId = BigInteger().with_variant(Integer(), "sqlite")
"""The type of an autoincrement primary key: SQLite counts only in a column of type INTEGER."""

Text = sqlalchemy.Text().with_variant(sqlalchemy.Text(collation="C"), "postgresql")
"""The type of every text: PostgreSQL compares it byte by byte, as SQLite does, whatever the locale of its database.

Otherwise a prefix would not be a range of an index, and filters would find other tasks than on SQLite.
"""

IDS_NEVER_REUSED: Mapping[str, Any] = {"sqlite_autoincrement": True}
"""Options of a table that never reuses an id, even after its newest row was removed."""


def partial_index(name: str, condition: str, *columns: Column[Any], unique: bool = False) -> Index:
    """Add a partial index to a table.

    A statement uses the index only if the statement contains the condition literally.

    Args:
        name: the name of the index.
        condition: the condition for rows to be in the index, as SQL.
        columns: the indexed columns.
        unique: whether the index is unique.
    """
    return Index(name, *columns, unique=unique, sqlite_where=text(condition), postgresql_where=text(condition))
