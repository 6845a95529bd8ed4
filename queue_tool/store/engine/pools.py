"""Closing all connections of an engine, including those in use."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, event


def retire(engine: Engine) -> None:
    """Close all connections of an engine, and those in use when they are returned. The engine can open new ones."""
    pool = engine.pool
    engine.dispose()  # the engine has a new pool now; the old pool would keep returned connections open
    event.listen(pool, "checkin", _close)
    pool.dispose()  # closes the connections that were returned before the listener was added


def _close(_connection: Any, record: Any) -> None:
    record.invalidate()
