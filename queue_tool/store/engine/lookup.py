"""A lookup: a SELECT of a few rows by their keys, executed thousands of times a second.

The statement is compiled once and sent directly through the driver. Through SQLAlchemy a statement takes about 0.1 ms,
and only a tenth of that is the database's own work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, literal_column, select

from queue_tool.model.made_once import made_once
from queue_tool.store.engine.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compiled:
    """A statement compiled to the database's SQL dialect."""

    sql: str
    names: tuple[str, ...] | None  # the parameters in their order, if the driver takes them by position
    constants: Mapping[str, Any]  # parameters whose values are part of the statement
    columns: tuple[str, ...]


class Lookup:
    """One SELECT that returns a few rows or none."""

    def __init__(self, database: Database, statement: Select[Any]) -> None:
        """Prepare a lookup. The statement is compiled at its first use, because many processes never use it."""
        self._database = database
        self._statement = statement

    def first(self, **parameters: object) -> Any:
        """Return the row with the statement's columns as attributes, or None if there is no row.

        Raises:
            StoreAway: the database cannot be reached.
        """
        row = self._database.first_row(*self._sent(parameters))
        return None if row is None else self._named(row)

    def all(self, **parameters: object) -> list[Any]:
        """Return the rows with the statement's columns as attributes.

        Raises:
            StoreAway: the database cannot be reached.
        """
        return [self._named(row) for row in self._database.all_rows(*self._sent(parameters))]

    def _sent(self, parameters: Mapping[str, object]) -> tuple[str, Any]:
        compiled = self._compiled
        known = {**compiled.constants, **parameters}
        return compiled.sql, known if compiled.names is None else [known[name] for name in compiled.names]

    def _named(self, row: Any) -> SimpleNamespace:
        return SimpleNamespace(**dict(zip(self._compiled.columns, row, strict=True)))

    @made_once
    def _compiled(self) -> _Compiled:
        compiled = self._database.compiled(self._statement)
        return _Compiled(
            sql=str(compiled),
            names=tuple(compiled.positiontup or ()) if compiled.positional else None,
            constants=dict(compiled.params),
            columns=tuple(str(column.key) for column in self._statement.selected_columns),
        )


def exists_query(condition: ColumnElement[bool]) -> Select[Any]:
    """Return a SELECT that returns one row if any row satisfies the condition.

    Such a query runs every second and usually finds nothing, so it saves a more expensive query.
    """
    return select(literal_column("1").label("found")).where(exists().where(condition))
