"""PostgreSQL: many transactions write at once, and each locks the rows that it changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from sqlalchemy import Column, Connection, Table, create_engine, text

from queue_tool.errors import CannotCopy, DriverMissing, StoreAway
from queue_tool.store.engine.pools import retire

SCHEME = "postgresql+psycopg"


class Postgres:
    """The database as a server."""

    version = "SELECT pg_current_snapshot()::text"

    def __init__(self, url: str, patience: float) -> None:
        """Prepare; `patience` is in seconds: for a connection, for a lock, for a place in a pool.

        Raises:
            DriverMissing: the driver is not installed.
        """
        waits = {
            "connect_timeout": max(1, int(patience)),
            "options": f"-c lock_timeout={int(patience * 1000)} -c timezone=UTC -c jit=off -c enable_seqscan=off",
        }
        options = {"connect_args": waits, "pool_timeout": patience, "pool_pre_ping": True, "hide_parameters": True}
        address = url.replace("postgresql", SCHEME, 1) if not url.startswith(SCHEME) else url
        if find_spec("psycopg") is None:
            raise DriverMissing
        self._writer = create_engine(address, pool_size=2, max_overflow=6, **options)
        self.reader = create_engine(address, isolation_level="REPEATABLE READ", pool_size=2, max_overflow=6, **options)
        self.looker = create_engine(address, isolation_level="AUTOCOMMIT", pool_size=2, max_overflow=6, **options)

    @contextmanager
    def writing(self, *, durable: bool) -> Iterator[Connection]:
        """Open a transaction that writes; one that is not durable does not wait for the disk."""
        with self._writer.begin() as connection:
            if not durable:
                connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
            yield connection

    def prepare(self) -> None:
        """Do nothing: the server has made the database."""

    def exists(self) -> bool:
        """Return True: whether it is really there shows when it is asked."""
        return True

    def close(self) -> None:
        """Close every connection: one that is in use when it is given back."""
        for engine in (self._writer, self.reader, self.looker):
            retire(engine)


def is_postgres(connection: Connection) -> bool:
    """Tell whether a connection is to a PostgreSQL."""
    return connection.dialect.name == "postgresql"


def lock_tables(connection: Connection, tables: Iterable[Table]) -> None:
    """Let nobody else write to these tables until the transaction ends."""
    names = ", ".join(table.name for table in tables)
    connection.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))


def set_last_id(connection: Connection, column: Column[Any], last: int) -> None:
    """Let the next row get the id after this one, in a column whose ids the database counts."""
    connection.execute(_SET_LAST_ID, {"table": column.table.name, "column": column.name, "last": last})


_SET_LAST_ID = text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)")


def copy_in(connection: Connection, table: Table, rows: Iterable[Iterable[Any]]) -> None:
    """Write many rows, each with the values of all columns in their order, while they come.

    Raises:
        CannotCopy: a value is not one that PostgreSQL can keep.
        StoreAway: the server is gone, or has no room.
    """
    from psycopg import DataError, Error

    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor().copy(f"COPY {table.name} ({columns}) FROM STDIN") as stream:
            for row in rows:
                stream.write_row(row)
    except DataError as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise CannotCopy(f"PostgreSQL cannot keep a row of the table {table.name}: {reason}.") from None
    except Error as error:
        raise StoreAway(retry_after=1) from error
