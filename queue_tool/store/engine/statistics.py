"""Statistics: whether a database knows how often the values of a column occur, and plans its queries by that."""

from __future__ import annotations

from sqlalchemy import Connection

from queue_tool.store.engine.postgres import is_postgres


def has_statistics(connection: Connection) -> bool:
    """Return whether the database keeps statistics by itself. SQLite has none unless somebody runs ANALYZE."""
    return is_postgres(connection)
