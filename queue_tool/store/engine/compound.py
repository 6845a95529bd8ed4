"""Compound statements, which write to several tables. Only PostgreSQL has them: with it, each statement costs a round
trip to the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.sql import ClauseElement

from queue_tool.store.engine.postgres import is_postgres


def has_compounds(connection: Connection) -> bool:
    """Return whether the database of a connection has compound statements."""
    return is_postgres(connection)


def insert_missing(table: Table) -> Any:
    """Return an INSERT for a part of a compound statement. It skips rows that exist already."""
    from sqlalchemy.dialects.postgresql import insert

    return insert(table).on_conflict_do_nothing()


class Compound:
    """One compound statement.

    It is compiled once for all transactions: to look its compiled form up, SQLAlchemy would visit each of its parts.
    """

    def __init__(self, statement: ClauseElement) -> None:
        """Prepare the statement. It is compiled at its first use, because many processes never use it."""
        self._statement = statement
        self._compiled: tuple[str, Mapping[str, Any]] | None = None  # and the parameters that are part of it

    def run(self, connection: Connection, parameters: Mapping[str, object]) -> int:
        """Execute the statement. Return how many rows of the last table it has written."""
        if self._compiled is None:
            compiled = self._statement.compile(dialect=connection.dialect)
            self._compiled = str(compiled), compiled.params
        sql, constants = self._compiled
        return connection.exec_driver_sql(sql, {**constants, **parameters}, {"preserve_rowcount": True}).rowcount
