"""The database: where connections come from, how a transaction begins, and what its failures mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Select, create_engine, event, exc
from sqlalchemy.engine import make_url
from sqlalchemy.sql.compiler import SQLCompiler

from queue_tool.errors import StoreAway
from queue_tool.store.gate import Gate
from queue_tool.tasks import require_utc

PATIENCE = 5.0
"""Seconds that a transaction waits for another one before it gives up."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Database:
    """One database, written by one connection of this process and read by a few.

    On SQLite a transaction that reads and then writes fails at once when another one wrote in between,
    whatever the timeout; so every one that may write begins with BEGIN IMMEDIATE, behind the gate.
    """

    def __init__(self, url: str, patience: float = PATIENCE) -> None:
        """Prepare the connections; none is made yet."""
        self.url = url
        self.path = Path(make_url(url).database or "")
        self._gate = Gate(self.path.with_name(self.path.name + ".gate"), patience)
        self._writer = _sqlite_engine(url, "BEGIN IMMEDIATE", patience, pool_size=1, max_overflow=0)
        self._noter = self._writer.execution_options(synchronous="NORMAL")
        self._reader = _sqlite_engine(url, "BEGIN", patience, pool_size=8, max_overflow=64)
        self._file: tuple[int, int] | None = None  # which the connections have open

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Run one transaction that may write; it is committed at the end, or nothing of it is kept.

        Raises:
            StoreAway: the database is locked, full, read-only, or not there.
        """
        with _failures_named(), self._gate.held(), self._in_place(self._writer).begin() as connection:
            yield connection

    @contextmanager
    def note(self) -> Iterator[Connection]:
        """Run one transaction like `write`, of something that a power failure may take back.

        It does not wait for the disk, which is most of what a small transaction costs.

        Raises:
            StoreAway: the database is locked, full, read-only, or not there.
        """
        with _failures_named(), self._gate.held(), self._in_place(self._noter).begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Run one transaction that only reads.

        Raises:
            StoreAway: the database is not there.
        """
        with _failures_named(), self._reader.connect() as connection:
            yield connection

    def compiled(self, statement: Select[Any]) -> SQLCompiler:
        """Return a statement in this database's own words."""
        compiled = statement.compile(self._reader)
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 - a SELECT is SQL
        return compiled

    def look(self, sql: str, parameters: Sequence[object]) -> Any:
        """Return the first row of a statement that only reads, sent through the driver; None where there is none.

        Raises:
            StoreAway: the database is not there.
        """
        try:
            with _failures_named(), closing(self._reader.raw_connection()) as connection:
                driver: Any = connection.driver_connection
                return driver.execute(sql, parameters).fetchone()
        except self._reader.dialect.loaded_dbapi.Error as error:
            raise StoreAway(retry_after=1) from error

    def watching(self) -> Any:
        """Return a connection of the driver's own, outside of any transaction.

        Raises:
            StoreAway: the database is not there.
        """
        with _failures_named():
            return self._reader.raw_connection()

    def make_private(self) -> None:
        """Make the file, if it is not there, so that nobody else of this machine can read it.

        Raises:
            StoreAway: it cannot be made.
        """
        with _failures_named():
            self.path.touch(mode=0o600)

    def _in_place(self, engine: Engine) -> Engine:
        """Return an engine whose connections have the file open that is at the path.

        SQLite would go on writing into one that was moved away or deleted, where nobody finds it again.

        Raises:
            FileNotFoundError: there is none.
        """
        found = self.path.stat()
        file = found.st_dev, found.st_ino
        if self._file is not None and self._file != file:
            self._writer.dispose()
            self._reader.dispose()
        self._file = file
        return engine

    def close(self) -> None:
        """Close every connection that is not in use."""
        self._writer.dispose()
        self._reader.dispose()
        self._gate.close()


class Changes:
    """Tells whether the database was written to, at the price of a look into shared memory."""

    def __init__(self, database: Database) -> None:
        """Prepare; the connection, which must be the same for every look, is made at the first one."""
        self._database = database
        self._connection: Any = None

    def version(self) -> int:
        """Return a number that is another one whenever somebody has committed since the last look.

        Raises:
            StoreAway: the database is not there.
        """
        if self._connection is None:
            self._connection = self._database.watching()
        with _failures_named():
            version: int = self._connection.driver_connection.execute("PRAGMA data_version").fetchone()[0]
        return version

    def close(self) -> None:
        """Give the connection back."""
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
def _failures_named() -> Iterator[None]:
    try:
        yield
    except (exc.OperationalError, exc.TimeoutError, TimeoutError, OSError) as error:
        raise StoreAway(retry_after=1) from error
    except exc.DatabaseError as error:
        if type(error) is not exc.DatabaseError:  # its children are mistakes of ours, not of the database's
            raise
        raise StoreAway(retry_after=1) from error


def _sqlite_engine(url: str, begin: str, patience: float, **pool: int) -> Engine:
    engine = create_engine(url, connect_args={"timeout": patience}, pool_timeout=patience, hide_parameters=True, **pool)

    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver's own BEGIN comes too late; ours is below
        for pragma in ("journal_mode=WAL", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}").close()

    def start(connection: Connection) -> None:
        synchronous = connection.get_execution_options().get("synchronous", "FULL")
        driver: Any = connection.connection.driver_connection
        driver.execute(f"PRAGMA synchronous={synchronous}").close()
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", start)
    return engine
