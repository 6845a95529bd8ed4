"""A lookup: one row by its key, asked for thousands of times a second.

The statement is compiled once and sent through the driver: of the tenth of a millisecond that a statement takes by
the usual way, the database needs a tenth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, literal_column, select

from queue_tool.store.engine.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compiled:
    """A statement in the database's own words."""

    sql: str
    names: tuple[str, ...] | None  # of the parameters, where they are told apart by their places
    constants: Mapping[str, Any]  # parameters that the statement itself says
    columns: tuple[str, ...]


class Lookup:
    """One statement whose answer is a row, or none."""

    def __init__(self, database: Database, statement: Select[Any]) -> None:
        """Prepare; it is compiled when it is first asked, which many a process never does. Columns keep their names."""
        self._database = database
        self._statement = statement

    def first(self, **parameters: object) -> Any:
        """Return the row, with the statement's columns as attributes; None where there is none.

        Raises:
            StoreAway: the database is not there.
        """
        compiled = self._compiled
        known = {**compiled.constants, **parameters}
        row = self._database.look(
            compiled.sql, known if compiled.names is None else [known[name] for name in compiled.names]
        )
        return None if row is None else SimpleNamespace(**dict(zip(compiled.columns, row, strict=True)))

    @cached_property
    def _compiled(self) -> _Compiled:
        compiled = self._database.compiled(self._statement)
        return _Compiled(
            sql=str(compiled),
            names=tuple(compiled.positiontup or ()) if compiled.positional else None,
            constants=dict(compiled.params),
            columns=tuple(str(column.key) for column in self._statement.selected_columns),
        )


def whether(condition: ColumnElement[bool]) -> Select[Any]:
    """Return the question whether there is any row like this: what is asked every second finds none as a rule."""
    return select(literal_column("1").label("found")).where(exists().where(condition))
