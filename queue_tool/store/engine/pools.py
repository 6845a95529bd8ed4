"""Closing a pool of connections."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, event


def retire(engine: Engine) -> None:
    """Close all connections of an engine: the ones in use when they are given back. It may go on with new ones."""
    pool = engine.pool
    engine.dispose()  # the engine has another pool from here on; this one would keep what comes back, open
    event.listen(pool, "checkin", _close)
    pool.dispose()  # what came back in between


def _close(_connection: Any, record: Any) -> None:
    record.invalidate()
