"""The connections of an engine: borrow one, and close all of them, including those in use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, PoolProxiedConnection, event


@contextmanager
def borrow(engine: Engine) -> Iterator[PoolProxiedConnection]:
    """Take a connection from an engine's pool for the length of the block. A detached connection stays open."""
    connection = engine.raw_connection()
    try:
        yield connection
    finally:
        if not connection.is_detached:
            connection.close()


def retire(engine: Engine) -> None:
    """Close all connections of an engine, and those in use when they are returned. The engine can open new ones."""
    pool = engine.pool
    engine.dispose()  # the engine has a new pool now; the old pool would keep returned connections open
    event.listen(pool, "checkin", _close)
    pool.dispose()  # closes the connections that were returned before the listener was added


def _close(_connection: Any, record: Any) -> None:
    record.invalidate()
