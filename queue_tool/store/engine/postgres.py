"""PostgreSQL: many transactions write at the same time, and each locks the rows that it changes."""

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
    """A PostgreSQL database."""

    version_query = "SELECT pg_current_snapshot()::text"

    def __init__(self, url: str, timeout: float) -> None:
        """Prepare the engines without opening a connection.

        Args:
            url: the database's URL.
            timeout: seconds to wait for a new connection, for a lock, or for a free connection of a pool.

        Raises:
            DriverMissing: the driver is not installed.
        """
        connect_args = {
            "connect_timeout": max(1, int(timeout)),
            "options": f"-c lock_timeout={int(timeout * 1000)} -c timezone=UTC -c jit=off -c enable_seqscan=off",
        }
        options = {
            "connect_args": connect_args,
            "pool_timeout": timeout,
            "pool_pre_ping": True,
            "hide_parameters": True,
        }
        address = url.replace("postgresql", SCHEME, 1) if not url.startswith(SCHEME) else url
        if find_spec("psycopg") is None:
            raise DriverMissing
        self._writer = create_engine(address, pool_size=2, max_overflow=6, **options)
        self.reader = create_engine(address, isolation_level="REPEATABLE READ", pool_size=2, max_overflow=6, **options)
        self.autocommit = create_engine(address, isolation_level="AUTOCOMMIT", pool_size=2, max_overflow=6, **options)

    @contextmanager
    def writing(self, *, durable: bool) -> Iterator[Connection]:
        """Open a transaction that writes. If it is not durable, its commit does not wait for the disk."""
        with self._writer.begin() as connection:
            if not durable:
                connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
            yield connection

    def follow(self) -> object:
        """Do nothing: a server is not replaced while a connection to it is open."""
        return None

    def prepare(self) -> None:
        """Do nothing: the administrator creates the database on the server."""

    def exists(self) -> bool:
        """Return True without a check. If the database is missing, the first query raises an error."""
        return True

    def close(self) -> None:
        """Close every connection. A connection in use is closed when it is returned."""
        for engine in (self._writer, self.reader, self.autocommit):
            retire(engine)


def is_postgres(connection: Connection) -> bool:
    """Return whether a connection is to a PostgreSQL database."""
    return connection.dialect.name == "postgresql"


def lock_tables(connection: Connection, tables: Iterable[Table]) -> None:
    """Block all other writes to these tables until the transaction ends."""
    names = ", ".join(table.name for table in tables)
    connection.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))


def set_last_id(connection: Connection, column: Column[Any], last: int) -> None:
    """Set the last used id of an autoincrement column, so that the next row gets the id after it."""
    connection.execute(_SET_LAST_ID, {"table": column.table.name, "column": column.name, "last": last})


_SET_LAST_ID = text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)")


def copy_in(connection: Connection, table: Table, rows: Iterable[Iterable[Any]]) -> None:
    """Write many rows as a stream.

    Args:
        connection: the connection of a transaction that writes.
        table: the table to write to.
        rows: the values of all columns of each row, in the order of the table's columns.

    Raises:
        CannotCopy: PostgreSQL cannot store a value.
        StoreAway: the server is gone, or its disk is full.
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
        raise CannotCopy(f"PostgreSQL cannot store a row of the table {table.name}: {reason}.") from None
    except Error as error:
        raise StoreAway(retry_after=1) from error
