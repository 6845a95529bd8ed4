"""A direct statement: one that many transactions send, and that goes to SQLite directly through the driver.

Through SQLAlchemy a small statement takes many times as long as SQLite's own work. It is compiled once for each set of
parameters. On PostgreSQL it takes the usual way, because there the server's answer takes longer than SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Executable
from sqlalchemy.sql import ClauseElement

from queue_tool.store.engine.postgres import is_postgres
from queue_tool.store.engine.sqlite import driver_of

Parameters = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement compiled to SQLite's dialect."""

    sql: str
    names: tuple[str, ...]  # the parameters in their order
    constants: Parameters  # parameters whose values are part of the statement

    def sent(self, parameters: Parameters) -> list[object]:
        """Return the values in the order in which the driver takes them."""
        if not self.constants:
            return [parameters[name] for name in self.names]
        known = {**self.constants, **parameters}
        return [known[name] for name in self.names]


class Direct:
    """One statement without a list that SQLAlchemy expands. An INSERT has the columns that are its parameters."""

    def __init__(self, statement: Executable) -> None:
        """Prepare a statement. It is compiled at its first use, because many processes never use it."""
        self.statement = statement
        self._compiled: dict[tuple[str, ...], _Compiled] = {}

    def run(self, connection: Connection, parameters: Parameters) -> None:
        """Execute the statement in a transaction. It returns no rows."""
        if is_postgres(connection):
            connection.execute(self.statement, dict(parameters))
        else:
            compiled = self._for(connection, parameters)
            driver_of(connection).execute(compiled.sql, compiled.sent(parameters))

    def first(self, connection: Connection, parameters: Parameters) -> Any:
        """Execute the statement in a transaction, and return its first row; None if it has none."""
        if is_postgres(connection):
            return connection.execute(self.statement, dict(parameters)).first()
        compiled = self._for(connection, parameters)
        rows = driver_of(connection).execute(compiled.sql, compiled.sent(parameters))
        row = rows.fetchone()
        rows.close()
        return row

    def run_each(self, connection: Connection, rows: Sequence[Parameters]) -> None:
        """Execute the statement in a transaction, once for each row. All rows have the same names in the same order."""
        if is_postgres(connection):
            connection.execute(self.statement, [dict(row) for row in rows])
        else:
            compiled = self._for(connection, rows[0])
            driver_of(connection).executemany(compiled.sql, map(compiled.sent, rows))

    def _for(self, connection: Connection, parameters: Parameters) -> _Compiled:
        names = tuple(parameters)
        found = self._compiled.get(names)
        if found is None:
            assert isinstance(self.statement, ClauseElement)
            compiled: Any = self.statement.compile(dialect=connection.dialect, column_keys=list(names))
            positions, constants = compiled.positiontup or (), compiled.params
            found = self._compiled[names] = _Compiled(
                sql=str(compiled),
                names=tuple(positions),
                constants={name: constants[name] for name in positions if name not in parameters},
            )
        return found
