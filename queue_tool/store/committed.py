"""Committed: whether a transaction that added requests was committed, if its connection broke during the commit.

Only PostgreSQL leaves this open: SQLite reports whether a commit succeeded.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table

from queue_tool.errors import StoreAway
from queue_tool.model.states import State
from queue_tool.store import ends
from queue_tool.store.engine.database import Database, moment
from queue_tool.store.engine.rows import insert_if_new
from queue_tool.store.tables import batches, tasks

PAUSES = (0.0, 0.1, 0.3, 0.6, 1.0, 1.0)
"""Seconds before each try to find out. The requests of the transaction wait meanwhile."""

PATIENCE = 5.0
"""Seconds after which no other try begins."""

Row = tuple[Table, Mapping[str, Any]]


def of_batch(public_id: str) -> Row:
    """Return a row that can only be added if the batch with this id was not."""
    return batches, {"public_id": public_id, "rejected": 0, "created_at": 0, **ends.of_new_batch(0, 0, moment(0))}


def of_task(token: str) -> Row:
    """Return a row that can only be added if the task with this token was not."""
    texts = dict.fromkeys(("task_type", "priority", "lane", "data"), "")
    numbers = dict.fromkeys(("position", "run", "attempt", "losses", "created_at"), 0)
    return tasks, {"token": token, "state": State.FINISHED.value} | texts | numbers


def was_committed(database: Database, added: Row) -> bool | None:
    """Return whether a transaction was committed, or None if that cannot be found out now.

    To read would not be enough: the server may still work on the commit. To add a row of the same unique key waits
    until that transaction has ended, in whatever session it is. What this adds is rolled back.

    Args:
        database: the database; the broken connection has left its pool.
        added: one of the rows that the transaction added.
    """
    until = time.monotonic() + PATIENCE
    for pause in PAUSES:
        time.sleep(pause)
        try:
            with database.write() as connection:
                is_new = insert_if_new(connection, *added)
                connection.rollback()
        except StoreAway:
            if time.monotonic() > until:
                return None
        else:
            return not is_new
    return None
