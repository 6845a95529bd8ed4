"""Moves as statements: every change of state is one UPDATE, and its condition is the expected state.

If the UPDATE does not find a row, another process changed that row in the meantime. That is not an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, Update, bindparam, case, select, update

from queue_tool.model.states import MOVES, Move
from queue_tool.store.engine.database import micros
from queue_tool.store.engine.locks import lock_rows
from queue_tool.store.engine.rows import is_among
from queue_tool.store.tables import batches, in_state, tasks


def update_for(move: Move, *, keyed: bool = True) -> Update:
    """Return the UPDATE of a move: its condition requires the expected state, its values are what the move changes.

    Args:
        move: the change of state.
        keyed: whether the caller's condition finds the rows by a key and not by their state.
    """
    transition = MOVES[move]
    values: dict[str, Any] = {"state": transition.target.value}
    if transition.new_run:
        values |= {"run": tasks.c.run + 1, "pushed_at": None, "started_at": None, "progress": None, "note": None}
    if transition.new_attempt:
        values["attempt"] = tasks.c.attempt + 1
    if transition.loss:
        values["losses"] = tasks.c.losses + 1
    return update(tasks).where(in_state(*transition.sources, keyed=keyed)).values(values)


def lock_tasks(connection: Connection, condition: ColumnElement[bool]) -> None:
    """Lock the tasks that a transaction will change, in the order of their tokens to prevent a deadlock.

    Wait for rows that are locked and never skip them: the other transaction may only be recording that the ticket was
    pushed. A worker that skipped the task would drop its ticket.
    """
    lock_rows(connection, select(tasks.c.id).where(condition).order_by(tasks.c.token).with_for_update())


def lock_tokens(connection: Connection, tokens: Iterable[str]) -> None:
    """Lock the tasks with these tokens, in the same way as `lock_tasks`."""
    lock_rows(connection, _LOCK_TOKENS, tokens)


_LOCK_TOKENS = (
    select(tasks.c.id)
    .where(is_among(tasks.c.token, bindparam("rows", type_=Text)))
    .order_by(tasks.c.token)
    .with_for_update()
)


def close_batches(connection: Connection, ended: Counter[int | None], now: datetime) -> tuple[str, ...]:
    """Subtract ended tasks from the open tasks of their batches. Batches are updated in the order of their ids.

    Args:
        connection: the connection of a transaction that writes.
        ended: the number of ended tasks for each batch row. The key None stands for tasks without a batch.
        now: the time at which the tasks ended.

    Returns:
        The ids of the batches that have no open task left.
    """
    finished: list[str] = []
    for batch_id in sorted(batch_id for batch_id in ended if batch_id is not None):
        left = batches.c.open - ended[batch_id]
        row = connection.execute(
            update(batches)
            .where(batches.c.id == batch_id)
            .values(open=left, finished_at=case((left == 0, micros(now)), else_=None))
            .returning(batches.c.public_id, batches.c.open)
        ).one()
        if row.open == 0:
            finished.append(row.public_id)
    return tuple(finished)


def reopen_batches(connection: Connection, opened: Counter[int | None]) -> None:
    """Add reopened tasks to the open tasks of their batches. Batches are updated in the order of their ids.

    Args:
        connection: the connection of a transaction that writes.
        opened: the number of reopened tasks for each batch row. The key None stands for tasks without a batch.
    """
    for batch_id in sorted(batch_id for batch_id in opened if batch_id is not None):
        connection.execute(
            update(batches)
            .where(batches.c.id == batch_id)
            .values(open=batches.c.open + opened[batch_id], finished_at=None)
        )
