"""Ends: the one way by which tasks and batches close, reopen and disappear.

No other module of the store writes the columns `open`, `accepted` and `finished_at`. What must follow from an end is
written here too, in the transaction that closes the task or the batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Update, bindparam, case, update

from queue_tool.model.states import Move
from queue_tool.store.engine.database import micros
from queue_tool.store.moves import closes, move_of, reopens
from queue_tool.store.tables import batches


def closing(move: Move, *, keyed: bool = True) -> Update:
    """Return the UPDATE of a move that ends tasks. The caller passes what it changed to an `Ending`.

    Its parameter `now` is the time at which the tasks end, as it is stored.

    Args:
        move: the change of state.
        keyed: whether the caller's condition finds the rows by a key and not by their state.
    """
    if not closes(move):
        raise ValueError(f"the move {move.value!r} ends no task")
    return move_of(move, keyed=keyed).values(finished_at=bindparam("now"))


def reopening(move: Move) -> Update:
    """Return the UPDATE of a move that reopens ended tasks. The caller passes what it changed to `reopen_batches`."""
    if not reopens(move):
        raise ValueError(f"the move {move.value!r} reopens no task")
    return move_of(move).values(
        finished_at=None, code=None, error=None, canceled_by=None, cancel_reason=None, canceled_key=None
    )


class Ending:
    """The tasks that one transaction ends. It closes the batches of which no task is open any more."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        """Start without ended tasks.

        Args:
            connection: the connection of a transaction that writes.
            now: the time at which the tasks end.
        """
        self._connection = connection
        self._now = micros(now)
        self._ended: Counter[int | None] = Counter()

    def add(self, move: Move, batch_ids: Iterable[int | None]) -> None:
        """Note tasks that a move has changed. A move that ends no task is ignored.

        Args:
            move: the change of state.
            batch_ids: the batch row of each task; None for a task without a batch.
        """
        if closes(move):
            self._ended.update(batch_ids)

    def close(self) -> tuple[str, ...]:
        """Subtract the ended tasks from the open tasks of their batches. Return the ids of the batches that finished.

        Call it once, after all changes of tasks. Batches are updated in the order of their ids.
        """
        finished: list[str] = []
        for batch_id, count in _in_order(self._ended):
            row = self._connection.execute(_CLOSE, {"batch": batch_id, "count": count, "now": self._now}).one()
            if row.open == 0:
                finished.append(row.public_id)
        return tuple(finished)


def of_new_batch(accepted: int, now: datetime) -> dict[str, object]:
    """Return the columns of a new batch that count its tasks. A batch whose elements were all refused is finished.

    Args:
        accepted: how many tasks the batch has.
        now: when it was submitted.
    """
    return {"accepted": accepted, "open": accepted, "finished_at": None if accepted else micros(now)}


def reopen_batches(connection: Connection, batch_ids: Iterable[int | None]) -> None:
    """Add reopened tasks to the open tasks of their batches. Batches are updated in the order of their ids.

    Args:
        connection: the connection of a transaction that writes.
        batch_ids: the batch row of each task; None for a task without a batch.
    """
    for batch_id, count in _in_order(Counter(batch_ids)):
        connection.execute(_REOPEN, {"batch": batch_id, "count": count})


def forget_tasks(connection: Connection, batch_ids: Iterable[int | None]) -> list[int]:
    """Subtract removed tasks from the counts of their batches. Batches are updated in the order of their ids.

    Args:
        connection: the connection of a transaction that writes.
        batch_ids: the batch row of each removed task, which had ended; None for a task without a batch.

    Returns:
        The rows of the batches that lost tasks.
    """
    lost = _in_order(Counter(batch_ids))
    for batch_id, count in lost:
        connection.execute(_FORGET, {"batch": batch_id, "count": count})
    return [batch_id for batch_id, _ in lost]


def _in_order(counted: Mapping[int | None, int]) -> list[tuple[int, int]]:
    """Return the batch rows and their numbers of tasks. All transactions have this order, so none blocks another."""
    return sorted((batch_id, count) for batch_id, count in counted.items() if batch_id is not None)


_COUNT: Any = bindparam("count", type_=BigInteger)

_LEFT = batches.c.open - _COUNT

_OF_BATCH = update(batches).where(batches.c.id == bindparam("batch"))

_CLOSE = _OF_BATCH.values(
    open=_LEFT, finished_at=case((_LEFT == 0, bindparam("now", type_=BigInteger)), else_=None)
).returning(batches.c.public_id, batches.c.open)

_REOPEN = _OF_BATCH.values(open=batches.c.open + _COUNT, finished_at=None)

_FORGET = _OF_BATCH.values(accepted=batches.c.accepted - _COUNT)
