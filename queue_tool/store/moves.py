"""Moves as statements: every change of state is one UPDATE, and its condition is the expected state.

If the UPDATE does not find a row, another process changed that row in the meantime. That is not an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, Update, bindparam, select, update

from queue_tool.model.states import MOVES, Move
from queue_tool.store.engine.locks import lock_rows
from queue_tool.store.engine.rows import is_among
from queue_tool.store.tables import in_state, tasks


def closes(move: Move) -> bool:
    """Return whether a move ends tasks."""
    return MOVES[move].target.ended


def reopens(move: Move) -> bool:
    """Return whether a move changes tasks that had ended."""
    return any(state.ended for state in MOVES[move].sources)


def update_for(move: Move, *, keyed: bool = True) -> Update:
    """Return the UPDATE of a move between states that are no end. `queue_tool.store.ends` has those of the others.

    Args:
        move: the change of state.
        keyed: whether the caller's condition finds the rows by a key and not by their state.
    """
    if closes(move) or reopens(move):
        raise ValueError(f"the move {move.value!r} goes through queue_tool.store.ends")
    return move_of(move, keyed=keyed)


def move_of(move: Move, *, keyed: bool = True) -> Update:
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
    if transition.resignation:
        values["resignations"] = tasks.c.resignations + 1
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
