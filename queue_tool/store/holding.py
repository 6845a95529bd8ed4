"""Holding: a batch whose tasks a bulk retry reopens does not end before the retry has reopened all of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from queue_tool.store import ends
from queue_tool.store.closed import NOTHING, Closed, closed
from queue_tool.store.engine.database import micros
from queue_tool.store.engine.locks import lock_rows
from queue_tool.store.engine.rows import as_rows

REOPENING = timedelta(seconds=60)
"""How long a batch is held after the latest page of a bulk retry. If the retry has died, a sweeper releases it."""

_MICROSECOND = timedelta(microseconds=1)


def hold(connection: Connection, batch_ids: Iterable[int], now: datetime) -> None:
    """Let batches not end while a bulk retry reopens their tasks, for `REOPENING`. To hold them again renews that.

    A held batch counts one more in `open`.

    Args:
        connection: the connection of a transaction that writes.
        batch_ids: the rows of the batches. They are locked here: call this before their tasks are counted.
        now: the current time.
    """
    rows = [[batch_id] for batch_id in sorted(batch_ids)]
    if rows:
        lock_rows(connection, ends.LOCK, rows)
        connection.execute(ends.HOLD, as_rows(rows) | {"now": micros(now), "patience": REOPENING // _MICROSECOND})


def release(connection: Connection, batch_ids: Iterable[int], now: datetime, *, only_late: bool = False) -> Closed:
    """Let held batches end, and end those that have no open task left.

    Args:
        connection: the connection of a transaction that writes.
        batch_ids: the rows of the batches.
        now: the current time.
        only_late: whether batches are released only if they were held or renewed more than `REOPENING` ago.
    """
    rows = [[batch_id] for batch_id in sorted(batch_ids)]
    if not rows:
        return NOTHING
    lock_rows(connection, ends.LOCK, rows)
    released = connection.execute(
        ends.RELEASE_LATE if only_late else ends.RELEASE, as_rows(rows) | {"now": micros(now)}
    )
    return closed(connection, [row for row in released if row.open == 0], micros(now))
