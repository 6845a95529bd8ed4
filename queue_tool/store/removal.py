"""Removing ended tasks with all of their rows, and subtracting them from the counts of their batches."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, literal, or_, select

from queue_tool.model.continuation import parent_of_batch, parent_of_task
from queue_tool.model.states import State
from queue_tool.store import continuing, ends, line
from queue_tool.store.moves import lock_tasks
from queue_tool.store.tables import attempts, batches, events, in_state, labels, parts, refusals, tags, tasks

ENDED = tuple(state for state in State if state.ended)

_made = tasks.alias("made")


def _is_followed(continues: ColumnElement[int], parent: ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition that a continuation of a parent has not ended: it may still read the results."""
    unfinished = exists().where(
        _made.c.parent.is_not(None), _made.c.parent == parent, _made.c.state.not_in([state.value for state in ENDED])
    )
    return and_(continues.is_not(None), unfinished)


_BATCH_IS_FOLLOWED = _is_followed(batches.c.continues, literal(parent_of_batch("")).concat(batches.c.public_id))

_TASK_IS_FOLLOWED = _is_followed(tasks.c.continues, literal(parent_of_task("")).concat(tasks.c.token))

_IN_UNFINISHED = exists().where(
    batches.c.id == tasks.c.batch_id, or_(batches.c.finished_at.is_(None), _BATCH_IS_FOLLOWED)
)


_MAY_GO = ~_IN_UNFINISHED & ~_TASK_IS_FOLLOWED


def count_removable(connection: Connection, condition: ColumnElement[bool]) -> int:
    """Return how many tasks `remove` would remove."""
    found: int = connection.execute(
        select(func.count()).select_from(tasks).where(in_state(*ENDED), condition, _MAY_GO)
    ).scalar_one()
    return found


def remove(connection: Connection, condition: ColumnElement[bool]) -> int:
    """Remove the ended tasks that satisfy a condition. Return how many were removed.

    Tasks of a batch that has not ended stay, and so does what an unfinished continuation follows. A batch is removed
    too if it has no task left and no refusals.
    """
    condition &= _MAY_GO
    lock_tasks(connection, in_state(*ENDED) & condition)
    gone = connection.execute(
        delete(tasks)
        .where(in_state(*ENDED), condition)
        .returning(tasks.c.id, tasks.c.token, tasks.c.batch_id, tasks.c.state, tasks.c.continues)
    ).all()
    tokens = [row.token for row in gone]
    if gone:
        connection.execute(delete(tags).where(tags.c.task_id.in_([row.id for row in gone])))
    for table in (attempts, events):  # a used Idempotency-Key stays for its lifetime: a repetition must not run again
        if tokens:
            connection.execute(delete(table).where(table.c.token.in_(tokens)))
    continuing.forget(connection, [parent_of_task(row.token) for row in gone if row.continues])
    for batch_id in ends.forget_tasks(connection, ((row.batch_id, State(row.state)) for row in gone)):
        remove_batches(connection, (batches.c.id == batch_id) & (batches.c.rejected == 0))
    return len(gone)


def remove_batches(connection: Connection, condition: ColumnElement[bool]) -> int:
    """Remove the finished batches that satisfy a condition and have no task left. Return how many were removed."""
    empty = (batches.c.accepted == 0) & batches.c.finished_at.is_not(None) & ~_BATCH_IS_FOLLOWED
    removing = delete(batches).where(empty, condition)
    removed = connection.execute(removing.returning(batches.c.id, batches.c.public_id, batches.c.continues)).all()
    gone = [row.id for row in removed]
    continuing.forget(connection, [parent_of_batch(row.public_id) for row in removed if row.continues is not None])
    for table in (refusals, labels, parts):
        if gone:
            connection.execute(delete(table).where(table.c.batch_id.in_(gone)))
    line.leave(connection, gone)
    return len(gone)
