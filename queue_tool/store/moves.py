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
    """Take the rows of tasks that a transaction will change, in the order of their tokens, as everybody does.

    A row that somebody else has is waited for and never passed over: who has it may be noting that its ticket was
    pushed, and a worker that took the task for somebody else's would drop the ticket.
    """
    lock_rows(connection, select(tasks.c.id).where(condition).order_by(tasks.c.token).with_for_update())


def lock_tokens(connection: Connection, tokens: Iterable[str]) -> None:
    """Take the rows of the tasks with these tokens, as `lock_tasks` does."""
    lock_rows(connection, _LOCK_TOKENS, tokens)


_LOCK_TOKENS = (
    select(tasks.c.id)
    .where(is_among(tasks.c.token, bindparam("rows", type_=Text)))
    .order_by(tasks.c.token)
    .with_for_update()
)


def close_batches(connection: Connection, ended: Counter[int | None], now: datetime) -> tuple[str, ...]:
    """Count ended tasks off their batches, in the order of the batches' ids; return those that are over."""
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
    """Count tasks on to their batches again, in the order of the batches' ids."""
    for batch_id in sorted(batch_id for batch_id in opened if batch_id is not None):
        connection.execute(
            update(batches)
            .where(batches.c.id == batch_id)
            .values(open=batches.c.open + opened[batch_id], finished_at=None)
        )
