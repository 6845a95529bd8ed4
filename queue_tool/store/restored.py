"""What a restored database gets before it is used: nothing that is left of the old one may match it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, Executable, delete, insert, literal, update

from queue_tool.model.states import Move, State
from queue_tool.store.engine.database import micros
from queue_tool.store.engine.file_copies import move_ids_on
from queue_tool.store.moves import update_for
from queue_tool.store.tables import batches, identity, in_state, tasks, windows, workers
from queue_tool.store.workers import ALIVE

SKIPPED = 1_000_000
"""Ids that are left out, so that no process of the old database has the id of a new one."""


def take_over(connection: Connection, new_identity: str | None, now: datetime) -> int:
    """Prepare a restored database for its first start. Return how many tasks were running and are queued again.

    Args:
        connection: the connection of a transaction that writes.
        new_identity: the new identity, or None to keep that of the backup.
        now: the time.
    """
    running, *_ = [connection.execute(statement).rowcount for statement in statements(new_identity, now)]
    move_ids_on(connection, SKIPPED)
    return running


def statements(new_identity: str | None, now: datetime) -> Iterator[Executable]:
    """Return the statements that do this. The first one queues the running tasks again, without a loss."""
    yield update_for(Move.PUT_BACK, keyed=False)
    # Redis has other tickets than at the time of the backup, so a sweeper pushes all of them
    yield update(tasks).where(in_state(State.QUEUED)).values(pushed_at=None)
    yield delete(windows)  # their cursors speak of the old Redis
    yield update(batches).where(batches.c.pushed_at.is_(None)).values(pushed_at=literal(micros(now)))
    yield update(batches).where(batches.c.push_failed_at < 0).values(push_failed_at=None)
    yield update(workers).where(ALIVE).values(gone_at=literal(micros(now)))
    if new_identity is not None:
        yield identity.delete()
        yield insert(identity).values(value=literal(new_identity))
