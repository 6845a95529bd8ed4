"""SQLite: one file, written by one connection of each process at a time, under a lock.

A transaction that reads and then writes fails at once when another one wrote in between, whatever the timeout; so
every one that may write begins with BEGIN IMMEDIATE.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Engine, create_engine, event, func, select, text
from sqlalchemy.engine import make_url

from queue_tool.store.engine.pools import retire
from queue_tool.store.engine.write_lock import WriteLock


class Sqlite:
    """The database as a file."""

    version = "PRAGMA data_version"

    def __init__(self, url: str, patience: float) -> None:
        """Prepare; `patience` is in seconds."""
        self._path = Path(make_url(url).database or "")
        self._lock = WriteLock(self._path.with_name(self._path.name + ".write-lock"), patience)
        self._writer = _engine(url, "BEGIN IMMEDIATE", patience, pool_size=1, max_overflow=0)
        self._hasty_writer = self._writer.execution_options(synchronous="NORMAL")
        self.reader = self.looker = _engine(url, "BEGIN", patience, pool_size=8, max_overflow=64)
        self._file: tuple[int, int] | None = None  # which the connections have open

    @contextmanager
    def writing(self, *, durable: bool) -> Iterator[Connection]:
        """Open a transaction that writes; one that is not durable does not wait for the disk."""
        writer = self._writer if durable else self._hasty_writer
        with self._lock.hold(), self._in_place(writer).begin() as connection:
            yield connection

    def prepare(self) -> None:
        """Make the file, if it is not there, so that nobody else of this machine can read it."""
        self._path.touch(mode=0o600)

    def exists(self) -> bool:
        """Tell whether the file is there."""
        return self._path.exists()

    def _in_place(self, engine: Engine) -> Engine:
        """Return an engine whose connections have the file open that is at the path.

        SQLite would go on writing into one that was moved away or deleted, where nobody finds it again.

        Raises:
            FileNotFoundError: there is none.
        """
        found = self._path.stat()
        file = found.st_dev, found.st_ino
        if self._file is not None and self._file != file:
            retire(self._writer)
            retire(self.reader)
        self._file = file
        return engine

    def close(self) -> None:
        """Close every connection: one that is in use when it is given back."""
        retire(self._writer)
        retire(self.reader)
        self._lock.close()


def last_id(connection: Connection, column: Column[Any]) -> int:
    """Return the id after which the next row is counted; 0 where there was no row.

    It is the highest one that there is, or in a table whose ids never come back the highest one that there ever was.
    """
    there_is = connection.execute(select(func.max(column))).scalar() or 0
    there_was = connection.execute(_LAST_EVER, {"table": column.table.name}).scalar() or 0
    return max(there_is, there_was)


_LAST_EVER = text("SELECT seq FROM sqlite_sequence WHERE name = :table")


def _engine(url: str, begin: str, patience: float, **pool: int) -> Engine:
    engine = create_engine(url, connect_args={"timeout": patience}, pool_timeout=patience, hide_parameters=True, **pool)

    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver's own BEGIN comes too late; ours is below
        for pragma in ("journal_mode=WAL", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}").close()

    def start(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        if begin != "BEGIN":
            synchronous = connection.get_execution_options().get("synchronous", "FULL")
            driver.execute(f"PRAGMA synchronous={synchronous}").close()
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", start)
    return engine
