"""The database: where connections come from, how a transaction begins, and what its failures mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, Select, exc
from sqlalchemy.engine import make_url
from sqlalchemy.sql.compiler import SQLCompiler

from queue_tool.errors import StoreAway
from queue_tool.model.times import require_utc
from queue_tool.store.engine.postgres import Postgres
from queue_tool.store.engine.sqlite import Sqlite

PATIENCE = 5.0
"""Seconds that a transaction waits for another one before it gives up."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Backend(Protocol):
    """What each kind of database does in its own way."""

    version: str  # a query whose answer is another one whenever somebody has committed
    reader: Engine  # each transaction of it sees one moment
    looker: Engine  # outside of transactions, for one row at a time

    def writing(self, *, durable: bool) -> AbstractContextManager[Connection]:
        """Open a transaction that writes; a power failure may take back one that is not durable."""

    def prepare(self) -> None:
        """Make what the database needs before there are tables."""

    def exists(self) -> bool:
        """Tell whether the database is there; if not, it has no tables either."""

    def close(self) -> None:
        """Close every connection: one that is in use when it is given back."""


class Database:
    """One database: where transactions come from, and what their failures mean."""

    def __init__(self, url: str, patience: float = PATIENCE) -> None:
        """Prepare the connections; none is made yet. `patience` is in seconds."""
        self.url = url
        # SQLite; what is no file is a server's, PostgreSQL
        self.is_file = not url.startswith("postgresql")
        self._backend: Backend = Sqlite(url, patience) if self.is_file else Postgres(url, patience)

    @property
    def path(self) -> Path:
        """Return the file of a SQLite database.

        Raises:
            ValueError: it is a server's, and its name is the name of no file.
        """
        if not self.is_file:
            raise ValueError("A database of PostgreSQL is no file.")
        return Path(make_url(self.url).database or "")

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """Run one transaction that may write; it is committed at the end, or nothing of it is kept.

        Args:
            durable: whether it is on the disk when this returns. One that is not costs a small part of that, and
                everybody sees it as soon; but a power failure may take it back. It is for what can be done again.

        Raises:
            StoreAway: the database is locked, full, read-only, or not there.
        """
        with failures_named(), self._backend.writing(durable=durable) as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Run one transaction that only reads.

        Raises:
            StoreAway: the database is not there.
        """
        with failures_named(), self._backend.reader.connect() as connection:
            yield connection

    def compiled(self, statement: Select[Any]) -> SQLCompiler:
        """Return a statement in this database's own words."""
        compiled = statement.compile(self._backend.looker)
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 - a SELECT is SQL
        return compiled

    def look(self, sql: str, parameters: Any) -> Any:
        """Return the first row of a statement that only reads, sent through the driver; None where there is none.

        Raises:
            StoreAway: the database is not there.
        """
        try:
            with failures_named(), closing(self._backend.looker.raw_connection()) as connection:
                driver: Any = connection.driver_connection
                return driver.execute(sql, parameters).fetchone()
        except self.driver_error as error:
            raise StoreAway(retry_after=1) from error

    @property
    def driver_error(self) -> type[Exception]:
        """Return what the driver itself raises when something is wrong."""
        kind: type[Exception] = self._backend.looker.dialect.loaded_dbapi.Error
        return kind

    def watching(self) -> tuple[Any, str]:
        """Return a connection of the driver's outside of any transaction, and the query that tells it of changes.

        Raises:
            StoreAway: the database is not there.
        """
        try:
            with failures_named():
                connection = self._backend.looker.raw_connection()
        except self.driver_error as error:
            raise StoreAway(retry_after=1) from error
        driver = connection.driver_connection
        connection.detach()  # whoever closes it closes it for good: the pool may be gone by then
        return driver, self._backend.version

    def prepare(self) -> None:
        """Make what the database needs before there are tables.

        Raises:
            StoreAway: it cannot be made.
        """
        with failures_named():
            self._backend.prepare()

    def exists(self) -> bool:
        """Tell whether there is a database at all."""
        return self._backend.exists()

    def close(self) -> None:
        """Close every connection: one that is in use when it is given back."""
        self._backend.close()


class Changes:
    """Tells whether the database was written to, at the price of a look into shared memory."""

    def __init__(self, database: Database) -> None:
        """Prepare; the connection, which must be the same for every look, is made at the first one."""
        self._database = database
        self._connection: Any = None
        self._query = ""

    def version(self) -> object:
        """Return something that is another one whenever somebody has committed since the last look.

        Raises:
            StoreAway: the database is not there.
        """
        if self._connection is None:
            self._connection, self._query = self._database.watching()
        try:
            return self._connection.execute(self._query).fetchone()[0]
        except self._database.driver_error as error:
            self.close()
            raise StoreAway(retry_after=1) from error

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def micros(time: datetime) -> int:
    """Return a time as it is kept: microseconds since 1970 in UTC.

    Raises:
        NaiveTime: the time has no time zone.
    """
    return (require_utc(time) - _EPOCH) // _MICROSECOND


def micros_or_none(time: datetime | None) -> int | None:
    """Return a time as it is kept, where there is one."""
    return None if time is None else micros(time)


def moment(value: int) -> datetime:
    """Return the time that is kept as this number."""
    return _EPOCH + value * _MICROSECOND


def moment_or_none(value: int | None) -> datetime | None:
    """Return the time that is kept as this number, where there is one."""
    return None if value is None else moment(value)


@contextmanager
def failures_named() -> Iterator[None]:
    """Raise `StoreAway` for whatever fails because of the database; mistakes of ours are raised as they are.

    Raises:
        StoreAway: the database is locked, full, read-only, or not there.
    """
    try:
        yield
    except (exc.OperationalError, exc.TimeoutError, TimeoutError, OSError) as error:
        raise StoreAway(retry_after=1) from error
    except exc.DatabaseError as error:
        if type(error) is not exc.DatabaseError:  # its children are mistakes of ours, not of the database's
            raise
        raise StoreAway(retry_after=1) from error
