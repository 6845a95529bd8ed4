"""A lookup: one row by its key, asked for thousands of times a second.

The statement is compiled once and sent through the driver: of the tenth of a millisecond that a statement takes by
the usual way, the database needs a tenth.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, literal_column, select

from queue_tool.store.engine.database import Database


class Lookup:
    """One statement whose answer is a row, or none."""

    def __init__(self, database: Database, statement: Select[Any]) -> None:
        """Compile it; its columns keep their names."""
        self._database = database
        compiled = database.compiled(statement)
        self._sql = str(compiled)
        self._names: tuple[str, ...] | None = tuple(compiled.positiontup or ()) if compiled.positional else None
        self._constants = dict(compiled.params)  # values that stand in the statement itself
        self._columns = [str(column.key) for column in statement.selected_columns]

    def first(self, **parameters: object) -> Any:
        """Return the row, with the statement's columns as attributes; None where there is none.

        Raises:
            StoreAway: the database is not there.
        """
        values: Any = self._constants | parameters
        if self._names is not None:
            values = [values[name] for name in self._names]
        row = self._database.look(self._sql, values)
        return None if row is None else SimpleNamespace(**dict(zip(self._columns, row, strict=True)))


def whether(condition: ColumnElement[bool]) -> Select[Any]:
    """Return the question whether there is any row like this: what is asked every second finds none as a rule."""
    return select(literal_column("1").label("found")).where(exists().where(condition))
