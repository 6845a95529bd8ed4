"""Parts of tables that each kind of database wants in its own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, text

RowId = BigInteger().with_variant(Integer(), "sqlite")
"""The type of a primary key that the database counts: SQLite does so only in a column that says INTEGER."""

IDS_NEVER_COME_BACK: Mapping[str, Any] = {"sqlite_autoincrement": True}
"""Options of a table whose ids are never given again, not even the id of the newest row after it was removed."""


def partial_index(name: str, condition: str, *columns: Column[Any], unique: bool = False) -> Index:
    """Give a table an index of those rows alone that satisfy a condition, which is SQL.

    A statement uses it only if it says the condition in the same words.
    """
    return Index(name, *columns, unique=unique, sqlite_where=text(condition), postgresql_where=text(condition))
