"""PostgreSQL: many transactions write at the same time, and each locks the rows that it changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from sqlalchemy import Column, Connection, Engine, NullPool, PoolProxiedConnection, Table, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import InvalidatePoolError

from queue_tool.errors import CannotCopy, DriverMissing, FailureKind, StoreAway
from queue_tool.model.made_once import made_once
from queue_tool.store.engine.failures import failures_named
from queue_tool.store.engine.places import Places, Server
from queue_tool.store.engine.pools import borrow, retire

SCHEME = "postgresql+psycopg"

KEPT, MOST = 2, 8
"""Connections of each engine: how many stay open, and how many may be in use at the same time."""

READ_TIMEOUTS, WRITE_TIMEOUTS = 2, 6
"""How many timeouts long a statement may take before the server ends it. The client waits one timeout longer."""

_WHEN_THE_NETWORK_IS_CUT = {
    "keepalives": 1,
    "keepalives_idle": 10,  # seconds of silence before the first probe
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds for which sent data may stay unacknowledged
}

_FOR_EVERY_TRANSACTION = {"timezone": "UTC", "jit": "off", "enable_seqscan": "off"}
"""Parameters of the server: the plans must not depend on how full the tables were at their last analysis."""


class Postgres:
    """A PostgreSQL database."""

    version_query = "SELECT pg_current_snapshot()::text"

    def __init__(self, url: str, timeout: float) -> None:
        """Prepare the engines without opening a connection.

        Args:
            url: the database's URL.
            timeout: seconds to wait for a new connection, for a lock, or for a free connection of a pool. Statements
                that read may take twice as long, others six times.

        Raises:
            DriverMissing: the driver is not installed.
        """
        if find_spec("psycopg") is None:
            raise DriverMissing
        self._url = url.replace("postgresql", SCHEME, 1) if not url.startswith(SCHEME) else url
        self._timeout = timeout
        self._server = Server(timeout)
        self._places: dict[Engine, Places] = {}
        self._writer = self._pooled(WRITE_TIMEOUTS * timeout)
        self.reader = self._pooled(READ_TIMEOUTS * timeout, isolation_level="REPEATABLE READ")
        self.autocommit = self._pooled(READ_TIMEOUTS * timeout, isolation_level="AUTOCOMMIT")

    @contextmanager
    def writing(self, *, durable: bool, unhurried: bool) -> Iterator[Connection]:
        """Open a transaction that writes. If it is not durable, its commit does not wait for the disk."""
        if unhurried:
            with self._unhurried.begin() as connection:
                yield connection
            return
        with self._places[self._writer].place(), self._writer.begin() as connection:
            if not durable:
                connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
            yield connection

    def follow(self) -> object:
        """Do nothing: a server is not replaced while a connection to it is open."""
        return None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that only reads, from one snapshot."""
        with self._places[self.reader].place(), self.reader.connect() as connection:
            yield connection

    @contextmanager
    def single(self) -> Iterator[PoolProxiedConnection]:
        """Borrow a connection for single statements outside of transactions."""
        with self._places[self.autocommit].place(), borrow(self.autocommit) as connection:
            yield connection

    def prepare(self) -> None:
        """Do nothing: the administrator creates the database on the server."""

    def exists(self) -> bool:
        """Return True without a check. If the database is missing, the first query raises an error."""
        return True

    def require_same_file(self) -> None:
        """Do nothing: the server looks after its files."""

    def renew_generation(self) -> None:
        """Do nothing, for the same reason."""

    def close(self) -> None:
        """Close every connection. A connection in use is closed when it is returned."""
        for engine in (self._writer, self.reader, self.autocommit):
            retire(engine)

    def _pooled(self, statement_timeout: float, **options: Any) -> Engine:
        engine = self._engine(
            statement_timeout,
            pool_size=KEPT,
            max_overflow=MOST - KEPT,
            pool_timeout=self._timeout,
            **options,
        )
        event.listen(engine, "checkout", _require_open)
        self._places[engine] = Places(self._server, MOST)
        return engine

    @made_once
    def _unhurried(self) -> Engine:
        """The engine of migrations and copies, whose statements may take hours. It keeps no connection open."""
        return self._engine(statement_timeout=0, poolclass=NullPool)

    def _engine(self, statement_timeout: float, **options: Any) -> Engine:
        """Return an engine whose server ends a statement after so many seconds, or never if the number is 0."""
        given = make_url(self._url).query  # what the operator has put into the URL wins
        defaults = {"connect_timeout": max(1, int(self._timeout))} | _WHEN_THE_NETWORK_IS_CUT
        engine = create_engine(
            self._url,
            connect_args={name: value for name, value in defaults.items() if name not in given},
            hide_parameters=True,
            **options,
        )
        limits = {"lock_timeout": self._timeout, "statement_timeout": statement_timeout}
        milliseconds = {name: str(int(seconds * 1000)) for name, seconds in limits.items()}
        self._set_sessions(engine, milliseconds | _FOR_EVERY_TRANSACTION, statement_timeout)
        return engine

    def _set_sessions(self, engine: Engine, parameters: Mapping[str, str], statement_timeout: float) -> None:
        """Let each connection of an engine have these parameters of the server, and end when no answer comes."""
        from queue_tool.store.engine.driver import BoundedConnection
        from queue_tool.store.engine.session import Session

        session = Session(parameters)

        def connect(_dialect: object, _record: object, arguments: Any, options: Any) -> Any:
            connection = BoundedConnection.connect(*arguments, **options)
            connection.patience = self._timeout
            self._server.note_answer()
            session.open(connection)
            connection.patience = statement_timeout + self._timeout if statement_timeout else float("inf")
            connection.on_answer = self._server.note_answer
            return connection

        event.listen(engine, "do_connect", connect)
        event.listen(engine, "begin", lambda connection: session.begin(connection.connection.driver_connection))


def _require_open(driver: Any, _record: object, _borrowed: object) -> None:
    """Let the pool replace a connection whose session the server has ended."""
    try:
        driver.require_open()
    except driver.Error as error:
        raise InvalidatePoolError from error


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
        StoreAway: the server is gone, its disk is full, or it refuses the rows.
    """
    from psycopg import DataError, Error

    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    driver: Any = connection.connection.driver_connection
    try:
        with failures_named(), driver.cursor().copy(f"COPY {table.name} ({columns}) FROM STDIN") as stream:
            for row in rows:
                stream.write_row(row)
    except DataError as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise CannotCopy(f"PostgreSQL cannot store a row of the table {table.name}: {reason}.") from None
    except Error as error:
        raise StoreAway.because(FailureKind.WRONG) from error
