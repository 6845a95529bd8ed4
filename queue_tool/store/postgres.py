"""PostgreSQL: many writers at once, each row locked by the one who changes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from sqlalchemy import Connection, create_engine

from queue_tool.errors import DriverMissing

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
        said = {"connect_args": waits, "pool_timeout": patience, "pool_pre_ping": True, "hide_parameters": True}
        address = url.replace("postgresql", SCHEME, 1) if not url.startswith(SCHEME) else url
        if find_spec("psycopg") is None:
            raise DriverMissing
        self._writer = create_engine(address, pool_size=2, max_overflow=6, **said)
        self.reader = create_engine(address, isolation_level="REPEATABLE READ", pool_size=2, max_overflow=6, **said)
        self.looker = create_engine(address, isolation_level="AUTOCOMMIT", pool_size=2, max_overflow=6, **said)

    @contextmanager
    def writing(self, *, lasting: bool) -> Iterator[Connection]:
        """Open a transaction that writes; one that is not lasting does not wait for the disk."""
        with self._writer.begin() as connection:
            if not lasting:
                connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
            yield connection

    def prepare(self) -> None:
        """Do nothing: the server has made the database."""

    def exists(self) -> bool:
        """Say yes: whether it is really there shows when it is asked."""
        return True

    def close(self) -> None:
        """Close every connection that is not in use."""
        for engine in (self._writer, self.reader, self.looker):
            engine.dispose()
