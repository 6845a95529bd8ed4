"""Removing ended tasks with all of their rows, and subtracting them from the counts of their batches."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, delete, exists

from queue_tool.model.states import State
from queue_tool.store import ends, line
from queue_tool.store.moves import lock_tasks
from queue_tool.store.tables import attempts, batches, events, in_state, labels, parts, refusals, tags, tasks

ENDED = tuple(state for state in State if state.ended)

_IN_UNFINISHED = exists().where(batches.c.id == tasks.c.batch_id, batches.c.finished_at.is_(None))


def remove(connection: Connection, condition: ColumnElement[bool]) -> int:
    """Remove the ended tasks that satisfy a condition. Return how many were removed.

    Tasks of a batch that has not ended stay. A batch is removed too if it has no task left and no refusals.
    """
    condition &= ~_IN_UNFINISHED
    lock_tasks(connection, in_state(*ENDED) & condition)
    gone = connection.execute(
        delete(tasks)
        .where(in_state(*ENDED), condition)
        .returning(tasks.c.id, tasks.c.token, tasks.c.batch_id, tasks.c.state)
    ).all()
    tokens = [row.token for row in gone]
    if gone:
        connection.execute(delete(tags).where(tags.c.task_id.in_([row.id for row in gone])))
    for table in (attempts, events):  # a used Idempotency-Key stays for its lifetime: a repetition must not run again
        if tokens:
            connection.execute(delete(table).where(table.c.token.in_(tokens)))
    for batch_id in ends.forget_tasks(connection, ((row.batch_id, State(row.state)) for row in gone)):
        remove_batches(connection, (batches.c.id == batch_id) & (batches.c.rejected == 0))
    return len(gone)


def remove_batches(connection: Connection, condition: ColumnElement[bool]) -> int:
    """Remove the finished batches that satisfy a condition and have no task left. Return how many were removed."""
    empty = (batches.c.accepted == 0) & batches.c.finished_at.is_not(None)
    gone = list(connection.execute(delete(batches).where(empty, condition).returning(batches.c.id)).scalars())
    for table in (refusals, labels, parts):
        if gone:
            connection.execute(delete(table).where(table.c.batch_id.in_(gone)))
    line.leave(connection, gone)
    return len(gone)
