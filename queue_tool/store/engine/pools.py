"""The connections of an engine: borrow one, keep one at hand, and close all of them, including those in use."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Pool, PoolProxiedConnection, event


@contextmanager
def borrow(engine: Engine) -> Iterator[PoolProxiedConnection]:
    """Take a connection from an engine's pool for the length of the block. A detached connection stays open.

    After an error it is closed: the pool would reset it, and log that this failed if the session has ended.
    """
    connection = engine.raw_connection()
    try:
        yield connection
    except BaseException:
        if not connection.is_detached:
            connection.invalidate()
        raise
    if not connection.is_detached:
        connection.close()


def retire(engine: Engine) -> None:
    """Close all connections of an engine, and those in use when they are returned. The engine can open new ones."""
    pool = engine.pool
    engine.dispose()  # the engine has a new pool now; the old pool would keep returned connections open
    event.listen(pool, "checkin", _close)
    pool.dispose()  # closes the connections that were returned before the listener was added


class AtHand:
    """One connection of an engine, kept between its uses: to take it from the pool takes longer than a transaction."""

    def __init__(self, engine: Engine) -> None:
        """Open nothing yet."""
        self.engine = engine
        self._lock = threading.Lock()
        self._idle: tuple[Pool, Connection] | None = None  # the pool tells whether the engine was retired since

    @contextmanager
    def lent(self) -> Iterator[Connection]:
        """Take the connection for the length of the block. After an error it goes back to the pool, which resets it."""
        pool, connection = self._taken() or (self.engine.pool, self.engine.connect())
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        with self._lock:
            if pool is self.engine.pool:
                self._idle = pool, connection
                return
        connection.close()

    def retire(self) -> None:
        """Close all connections of the engine, and those in use when they are returned."""
        retire(self.engine)
        idle = self._taken()
        if idle is not None:
            idle[1].close()

    def _taken(self) -> tuple[Pool, Connection] | None:
        with self._lock:
            idle, self._idle = self._idle, None
        return idle


def _close(_connection: Any, record: Any) -> None:
    record.invalidate()
