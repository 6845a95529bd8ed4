"""The database: its connections, its transactions, and the errors raised when they fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, PoolProxiedConnection, Select
from sqlalchemy.engine import make_url
from sqlalchemy.sql.compiler import SQLCompiler

from queue_tool.errors import CommitUnknown, DatabaseReplaced, FailureKind, StoreAway
from queue_tool.model.times import require_time_zone
from queue_tool.store.engine.failures import failures_named
from queue_tool.store.engine.generation import FileReplaced
from queue_tool.store.engine.postgres import Postgres
from queue_tool.store.engine.sqlite import Sqlite

TIMEOUT = 5.0
"""Seconds that a transaction waits for a lock or a connection before it fails."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Backend(Protocol):
    """The operations that differ between SQLite and PostgreSQL."""

    version_query: str  # its result changes with every commit of any connection
    reader: Engine  # each transaction reads from one snapshot
    autocommit: Engine  # for single statements outside of transactions

    def writing(self, *, durable: bool, unhurried: bool) -> AbstractContextManager[Connection]:
        """Open a transaction that writes. A power failure may undo a transaction that is not durable.

        The statements of an unhurried transaction may take any time.
        """

    def reading(self) -> AbstractContextManager[Connection]:
        """Open a transaction of `reader`."""

    def single(self) -> AbstractContextManager[PoolProxiedConnection]:
        """Borrow a connection of `autocommit`."""

    def follow(self) -> object:
        """Make sure that the next reads see the database that is there now. Return what identifies it."""

    def prepare(self) -> None:
        """Create what the database needs before its tables can be created."""

    def exists(self) -> bool:
        """Return whether the database exists. A missing database has no tables."""

    def require_same_file(self) -> None:
        """Check that the database is the one that the system used last, if it is a file."""

    def renew_generation(self) -> None:
        """Mark the database as the one that the system uses from now on, if it is a file."""

    def close(self) -> None:
        """Close every connection. A connection in use is closed when it is returned."""


class Database:
    """One database: it opens transactions and raises `StoreAway` when the database fails."""

    def __init__(self, url: str, timeout: float = TIMEOUT) -> None:
        """Prepare the engines without opening a connection.

        Args:
            url: the SQLAlchemy URL of a SQLite file or of a PostgreSQL server.
            timeout: seconds to wait for a lock or a connection.
        """
        self.url = url
        self.is_file = not url.startswith("postgresql")
        self.is_durable = True  # False, for tests: no commit waits for the disk
        self._backend: Backend = Sqlite(url, timeout) if self.is_file else Postgres(url, timeout)

    @property
    def path(self) -> Path:
        """Return the path of a SQLite database's file.

        Raises:
            ValueError: the database is on PostgreSQL and has no file.
        """
        if not self.is_file:
            raise ValueError("A PostgreSQL database has no file.")
        return Path(make_url(self.url).database or "")

    @contextmanager
    def write(self, *, durable: bool = True, unhurried: bool = False) -> Iterator[Connection]:
        """Run one transaction that may write. It is committed at the end of the block, or rolled back on an error.

        Args:
            durable: whether the commit waits until the data is on the disk. A commit that does not wait is much
                faster, and other connections see it at once, but a power failure may undo it. Use it only for
                writes that can be repeated.
            unhurried: whether its statements may take any time. Otherwise the server ends a statement that takes too
                long. Use it only where no request waits.

        Raises:
            StoreAway: the database is locked, full, read-only, or missing.
            CommitUnknown: the connection to PostgreSQL broke during the commit.
        """
        commits = False
        try:
            waits = durable and self.is_durable
            with failures_named(), self._backend.writing(durable=waits, unhurried=unhurried) as connection:
                yield connection
                commits = True
        except StoreAway as error:
            # SQLite reports whether a commit succeeded, and so does a PostgreSQL that answers
            if not commits or self.is_file or error.kind is not FailureKind.AWAY:
                raise
            raise CommitUnknown(retry_after=1) from error.__cause__

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Run one transaction that only reads.

        Raises:
            StoreAway: the database cannot be reached.
        """
        self._backend.follow()
        with failures_named(), self._backend.reading() as connection:
            yield connection

    def compiled(self, statement: Select[Any]) -> SQLCompiler:
        """Return a statement compiled to this database's SQL dialect."""
        compiled = statement.compile(self._backend.autocommit)
        assert isinstance(compiled, SQLCompiler)  # a SELECT is SQL
        return compiled

    def first_row(self, sql: str, parameters: Any) -> Any:
        """Send a SELECT directly through the driver and return its first row, or None if it has no rows.

        Raises:
            StoreAway: the database cannot be reached.
        """
        return self._straight(sql, parameters, lambda cursor: cursor.fetchone())

    def all_rows(self, sql: str, parameters: Any) -> list[Any]:
        """Send a SELECT directly through the driver and return all its rows.

        Raises:
            StoreAway: the database cannot be reached.
        """
        rows: list[Any] = self._straight(sql, parameters, lambda cursor: cursor.fetchall())
        return rows

    def _straight(self, sql: str, parameters: Any, fetch: Callable[[Any], Any]) -> Any:
        self._backend.follow()
        with failures_named(), self._backend.single() as connection:
            driver: Any = connection.driver_connection
            return fetch(driver.execute(sql, parameters))

    def follow(self) -> object:
        """Return what identifies the database that is there now: another value if its file was replaced."""
        return self._backend.follow()

    def version_connection(self) -> tuple[Any, str]:
        """Return a driver connection outside of any transaction, and the query that detects commits on it.

        Raises:
            StoreAway: the database cannot be reached.
        """
        with failures_named(), self._backend.single() as connection:
            driver = connection.driver_connection
            connection.detach()  # the caller closes it itself: the pool may be gone by then
        return driver, self._backend.version_query

    def prepare(self) -> None:
        """Create what the database needs before its tables can be created.

        Raises:
            StoreAway: the database cannot be created.
        """
        with failures_named():
            self._backend.prepare()

    def exists(self) -> bool:
        """Return whether the database exists."""
        return self._backend.exists()

    def require_same_file(self) -> None:
        """Check that no other file was put in the place of a SQLite database by hand.

        Raises:
            DatabaseReplaced: another file is there, or none. The message says what to do.
        """
        try:
            self._backend.require_same_file()
        except FileReplaced as error:
            raise DatabaseReplaced(str(error)) from None

    def renew_generation(self) -> None:
        """Mark a SQLite database as the one that the system uses from now on. Earlier copies of it do not fit then.

        Raises:
            StoreAway: the database cannot be written.
        """
        with failures_named():
            self._backend.renew_generation()

    def close(self) -> None:
        """Close every connection. A connection in use is closed when it is returned."""
        self._backend.close()


class Changes:
    """Detects whether the database was written to. A check is cheap: it reads no table."""

    def __init__(self, database: Database) -> None:
        """Use this database. The first check opens a connection, and all later checks use the same one."""
        self._database = database
        self._connection: Any = None
        self._query = ""
        self._opened: object = None  # what identifies the database that the connection has open

    def version(self) -> object:
        """Return a value that differs from the previous one if any connection has committed since.

        It also differs if the database was replaced.

        Raises:
            StoreAway: the database cannot be reached.
        """
        current = self._database.follow()
        if current != self._opened:
            self.close()
        if self._connection is None:
            self._connection, self._query = self._database.version_connection()
            self._opened = current
        try:
            with failures_named():
                return current, self._connection.execute(self._query).fetchone()[0]
        except StoreAway:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def micros(time: datetime) -> int:
    """Return a time as it is stored: microseconds since 1970 in UTC.

    Raises:
        NaiveTime: the time has no time zone.
    """
    return (require_time_zone(time) - _EPOCH) // _MICROSECOND


def micros_or_none(time: datetime | None) -> int | None:
    """Return a time as it is stored, or None for None."""
    return None if time is None else micros(time)


def moment(value: int) -> datetime:
    """Return the time that is stored as this number."""
    return _EPOCH + value * _MICROSECOND


def moment_or_none(value: int | None) -> datetime | None:
    """Return the time that is stored as this number, or None for None."""
    return None if value is None else moment(value)
