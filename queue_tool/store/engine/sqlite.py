"""SQLite: one file. Each process writes through one connection, and a lock between processes allows one writer.

Every transaction that may write begins with BEGIN IMMEDIATE. Otherwise a transaction that reads first and then writes
would fail at once if another transaction wrote in between, whatever the timeout.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Dialect,
    Engine,
    PoolProxiedConnection,
    create_engine,
    event,
    func,
    select,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.util import LRUCache

from queue_tool.store.engine import generation
from queue_tool.store.engine.generation import Mark
from queue_tool.store.engine.pools import AtHand, borrow, retire
from queue_tool.store.engine.write_lock import WriteLock

_COMPILED: LRUCache[Any, Any] = LRUCache(1_000)
"""The compiled statements of this process, which all its engines share."""

WRITER_CACHE = 8_000
"""KiB of changed pages that a transaction keeps in memory. A batch of 10,000 tasks with options, tags and keys changes
6 MiB, and with SQLite's 2 MiB it would write and read many of these pages again and again."""


class Sqlite:
    """A SQLite database."""

    version_query = "PRAGMA data_version"

    def __init__(self, url: str, timeout: float) -> None:
        """Prepare the engines without opening a connection.

        Args:
            url: the database's URL.
            timeout: seconds to wait for a lock or for a free connection of a pool.
        """
        self._path = Path(make_url(url).database or "").absolute()  # the working directory may change
        self._lock = WriteLock(self._path.with_name(self._path.name + ".write-lock"), timeout)
        self._writer = AtHand(_engine(url, "BEGIN IMMEDIATE", timeout, pool_size=1, max_overflow=0))
        self.reader = self.autocommit = _engine(url, "BEGIN", timeout, pool_size=8, max_overflow=64)
        self._file: tuple[int, int] | None = None  # device and inode of the file that the connections have open
        self._changed_at = 0  # nanoseconds: when the file was written last, as far as its header was checked
        self._descriptor = -1  # of the file, opened by SQLite; it may be closed by now

    @contextmanager
    def writing(self, *, durable: bool, unhurried: bool) -> Iterator[Connection]:  # noqa: ARG002 - SQLite ends no statement
        """Open a transaction that writes. If it is not durable, its commit does not wait for the disk."""
        with self._lock.hold():
            self._follow_file()
            with self._writer.lent() as connection:
                _set_synchronous(connection, "FULL" if durable else "NORMAL")
                with connection.begin():
                    yield connection

    def follow(self) -> object:
        """Make sure that the next reads open the file that is at the path now. Return what identifies this file.

        While there is no file at the path, the reads continue in the open one: its file system may come back.
        """
        with suppress(OSError):
            self._follow_file()
        return self._file

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that only reads, from one snapshot."""
        with self.reader.connect() as connection:
            yield connection

    @contextmanager
    def single(self) -> Iterator[PoolProxiedConnection]:
        """Borrow a connection for single statements outside of transactions."""
        with borrow(self.autocommit) as connection:
            yield connection

    def prepare(self) -> None:
        """Create the file if it is missing. Other users of the machine cannot read it."""
        self._path.touch(mode=0o600)

    def exists(self) -> bool:
        """Return whether the file exists."""
        return self._path.exists()

    def _follow_file(self) -> None:
        """Close the connections if the file at the path was replaced, so that new connections open the new file.

        Otherwise SQLite would continue in the old file, which was moved or deleted: what it reads there is outdated,
        and what it writes there is lost.

        Raises:
            FileNotFoundError: there is no file at the path.
            FileReplaced: another file was put there by hand, beside files of the old one.
        """
        found = os.stat(self._path)  # noqa: PTH116 - each transaction does it, and this is faster
        file = found.st_dev, found.st_ino
        if self._file == file:
            if found.st_mtime_ns != self._changed_at:  # a checkpoint, or another file was copied over this one
                self._require_same_content(found)
                self._changed_at = found.st_mtime_ns
            return
        if self._file is not None:
            generation.require_same(self._path)
            self._writer.retire()
            retire(self.reader)
        self._file = file

    def _require_same_content(self, found: os.stat_result) -> None:
        """Check the header of the open file.

        Raises:
            FileReplaced: another file was copied over it.
        """
        header = generation.header_at(self._descriptor, found)
        if header is None:
            self._descriptor = descriptor = generation.open_descriptor(found) or -1
            header = generation.header_at(descriptor, found)
        mark = generation.read_mark(self._path)
        if header is not None and mark is not None and not mark.fits(header):
            generation.require_same(self._path)

    def require_same_file(self) -> None:
        """Check that the file at the path is the one that the system used last.

        Raises:
            FileReplaced: another file is there, or none.
        """
        generation.require_same(self._path)

    def renew_generation(self) -> None:
        """Give the file a new generation: copies that were made before do not fit any more."""
        new = generation.new_generation()
        with self._lock.hold():
            self._follow_file()
            mark, header = generation.read_mark(self._path), generation.read_header(self._path)
            known = {*(mark.generations if mark else ()), *([header.generation] if header else ())}
            generation.write_mark(self._path, Mark(generations=(*known, new), schema_version=0))
            with self._writer.lent() as connection:
                _set_synchronous(connection, "FULL")
                driver = driver_of(connection)
                (timeout,) = driver.execute("PRAGMA busy_timeout").fetchone()
                pragmas = (f"user_version={new}", "busy_timeout=0", "wal_checkpoint(TRUNCATE)")
                for pragma in (*pragmas, f"busy_timeout={timeout}"):  # the checkpoint does not wait for readers
                    driver.execute(f"PRAGMA {pragma}").fetchall()
            written = generation.read_header(self._path)
            if written is not None and written.generation == new:  # no reader held the checkpoint up
                generation.write_mark(self._path, Mark(generations=(new,), schema_version=written.schema_version))

    def close(self) -> None:
        """Close every connection. A connection in use is closed when it is returned."""
        self._writer.retire()
        retire(self.reader)
        self._lock.close()


def driver_of(connection: Connection) -> Any:
    """Return the driver's own connection."""
    return connection.connection.driver_connection


def _set_synchronous(connection: Connection, value: str) -> None:
    """Set how the next transactions of a connection wait for the disk."""
    known = connection.info
    if known.get("synchronous") != value:
        driver_of(connection).execute(f"PRAGMA synchronous={value}").close()
        known["synchronous"] = value


def last_id(connection: Connection, column: Column[Any]) -> int:
    """Return the last used id of an autoincrement column, or 0 if it has none. The next row gets the id after it.

    It is the highest id in the table. In a table that never reuses ids, it is the highest id ever used.
    """
    highest = connection.execute(select(func.max(column))).scalar() or 0
    highest_ever = connection.execute(_LAST_EVER, {"table": column.table.name}).scalar() or 0
    return max(highest, highest_ever)


_LAST_EVER = text("SELECT seq FROM sqlite_sequence WHERE name = :table")


def _engine(url: str, begin: str, timeout: float, **pool: int) -> Engine:
    engine = create_engine(url, connect_args={"timeout": timeout}, pool_timeout=timeout, hide_parameters=True, **pool)
    engine.dialect = _dialect()
    engine.update_execution_options(compiled_cache=_COMPILED)

    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver would send BEGIN too late; `start` sends it
        pages = () if begin == "BEGIN" else (f"cache_size=-{WRITER_CACHE}",)
        for pragma in ("journal_mode=WAL", "temp_store=MEMORY", *pages):
            connection.execute(f"PRAGMA {pragma}").close()

    def start(connection: Connection) -> None:
        driver_of(connection).execute(begin).close()

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", start)
    return engine


@cache
def _dialect() -> Dialect:
    """Return the dialect of all engines of this process.

    To compile a statement takes longer than to run it, and a compiled statement belongs to one dialect.
    """
    engine = create_engine("sqlite://")
    engine.connect().close()  # the dialect reads what the library can do
    engine.dispose()
    return engine.dialect
