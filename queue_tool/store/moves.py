"""Moves as statements: every change of state is one UPDATE that says what must still be true.

A row that such an UPDATE does not find was changed by somebody else in the meantime. That is not an error.
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
    """Return the UPDATE of a move: its condition is the fence, its values are what the move changes.

    Args:
        move: the change of state.
        keyed: whether the rows are found by their keys, and not by their state.
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
    """Lock the tasks that a transaction will change, in the order of their tokens, so that there is no deadlock.

    A row that somebody else has locked is waited for and never skipped: its holder may only be recording that the
    ticket was pushed, and a worker that skipped the task would drop that ticket.
    """
    lock_rows(connection, select(tasks.c.id).where(condition).order_by(tasks.c.token).with_for_update())


def lock_tokens(connection: Connection, tokens: Iterable[str]) -> None:
    """Lock the tasks with these tokens, as `lock_tasks` does."""
    lock_rows(connection, _LOCK_TOKENS, tokens)


_LOCK_TOKENS = (
    select(tasks.c.id)
    .where(is_among(tasks.c.token, bindparam("rows", type_=Text)))
    .order_by(tasks.c.token)
    .with_for_update()
)


def close_batches(connection: Connection, ended: Counter[int | None], now: datetime) -> tuple[str, ...]:
    """Subtract ended tasks from the open ones of their batches, in the order of ids; return the batches that end."""
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
    """Add reopened tasks to the open tasks of their batches again, in the order of ids."""
    for batch_id in sorted(batch_id for batch_id in opened if batch_id is not None):
        connection.execute(
            update(batches)
            .where(batches.c.id == batch_id)
            .values(open=batches.c.open + opened[batch_id], finished_at=None)
        )
