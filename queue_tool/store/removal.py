"""Removing ended tasks: with all that belongs to them, and subtracted from their batches, so that counts still sum."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import ColumnElement, Connection, delete, update

from queue_tool.model.states import State
from queue_tool.store.moves import lock_tasks
from queue_tool.store.tables import attempts, batches, events, idempotency_keys, in_state, labels, refusals, tags, tasks

ENDED = tuple(state for state in State if state.ended)


def remove(connection: Connection, condition: ColumnElement[bool]) -> int:
    """Remove the tasks that a condition means and that have ended; return how many.

    A batch of which no task is left, and that refused nothing, goes too.
    """
    lock_tasks(connection, in_state(*ENDED) & condition)
    gone = connection.execute(
        delete(tasks).where(in_state(*ENDED), condition).returning(tasks.c.id, tasks.c.token, tasks.c.batch_id)
    ).all()
    tokens = [row.token for row in gone]
    if gone:
        connection.execute(delete(tags).where(tags.c.task_id.in_([row.id for row in gone])))
    for table in (attempts, events, idempotency_keys):  # a key of one task; a batch's goes with the batch
        if tokens:
            connection.execute(delete(table).where(table.c.token.in_(tokens)))
    for batch_id, count in sorted(Counter(row.batch_id for row in gone if row.batch_id is not None).items()):
        connection.execute(update(batches).where(batches.c.id == batch_id).values(accepted=batches.c.accepted - count))
        remove_batches(connection, (batches.c.id == batch_id) & (batches.c.rejected == 0))
    return len(gone)


def remove_batches(connection: Connection, condition: ColumnElement[bool]) -> int:
    """Remove the batches that a condition means and that have no tasks any more; return how many."""
    empty = (batches.c.accepted == 0) & batches.c.finished_at.is_not(None)
    gone = list(connection.execute(delete(batches).where(empty, condition).returning(batches.c.id)).scalars())
    for table in (refusals, idempotency_keys, labels):
        if gone:
            connection.execute(delete(table).where(table.c.batch_id.in_(gone)))
    return len(gone)
