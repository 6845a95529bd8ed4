"""Ends: the one way by which tasks and batches close, reopen and disappear, and by which batches are counted.

No other module of the store writes the columns `open`, `accepted`, `scheduled`, `failed`, `canceled` and `finished_at`
of batches. What must follow from an end is written in the transaction that closes the task or the batch: see `closed`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Update, bindparam, case, select, update

from queue_tool.model.continuation import parent_of_task
from queue_tool.model.states import MOVES, Move, State
from queue_tool.store import line
from queue_tool.store.closed import NOTHING, Closed, closed
from queue_tool.store.engine.clock import database_now
from queue_tool.store.engine.database import micros, micros_or_none
from queue_tool.store.engine.locks import lock_rows
from queue_tool.store.engine.rows import as_rows, field
from queue_tool.store.listening import LISTENING, who_listens
from queue_tool.store.moves import closes, move_of, reopens
from queue_tool.store.tables import batches
from queue_tool.store.telling import tell

COUNTED = (State.SCHEDULED, State.FAILED, State.CANCELED)
"""The states whose tasks each batch counts in a column. The other counts follow from these, `open` and `accepted`."""


def closing(move: Move, *, keyed: bool = True) -> Update:
    """Return the UPDATE of a move that ends tasks. The caller passes what it changed to a `BatchChanges`.

    Its parameter `now` is the time at which the tasks end, as it is stored.

    Args:
        move: the change of state.
        keyed: whether the caller's condition finds the rows by a key and not by their state.
    """
    if not closes(move):
        raise ValueError(f"the move {move.value!r} ends no task")
    return move_of(move, keyed=keyed).values(finished_at=bindparam("now"))


def reopening(move: Move) -> Update:
    """Return the UPDATE of a move that reopens ended tasks. The caller passes what it changed to a `BatchChanges`."""
    if not reopens(move):
        raise ValueError(f"the move {move.value!r} reopens no task")
    return move_of(move).values(
        finished_at=None, code=None, error=None, canceled_by=None, cancel_reason=None, canceled_key=None
    )


FROM_LINE = frozenset({Move.CANCEL, Move.EXPIRE})
"""The moves that end tasks whose tickets may wait in line."""


class BatchChanges:
    """What one transaction changes in the counts of batches. It closes the batches that have no open task left."""

    def __init__(self, connection: Connection, now: datetime | None = None) -> None:
        """Start without changes.

        Args:
            connection: the connection of a transaction that writes.
            now: the time at which tasks end; None if no task ends.
        """
        self._connection = connection
        self._now = micros_or_none(now)
        self._moved: dict[tuple[State, State], Counter[int | None]] = {}
        self._were_in_line = False
        self._reopens = False
        self._ended: dict[str, bool] = {}  # tasks with continuations, as parents, and whether they failed
        self._told: list[str] = []  # tasks that ended, for the webhooks
        self._listening: int | None = None

    def add(
        self,
        move: Move,
        batch_ids: Iterable[int | None],
        before: State | None = None,
        continuing: Iterable[str] = (),
    ) -> None:
        """Note tasks that a move has changed.

        Args:
            move: the change of state.
            batch_ids: the batch row of each task; None for a task without a batch.
            before: the state that these tasks had. It may be left out if the move has only one source.
            continuing: the tokens of those that have continuations, if the move ends them.
        """
        transition = MOVES[move]
        if before is None:
            (before,) = transition.sources
        self._moved.setdefault((before, transition.target), Counter()).update(batch_ids)
        self._were_in_line |= move in FROM_LINE
        self._reopens |= move is Move.REOPEN
        if transition.target.ended:
            failed = transition.target is not State.FINISHED
            self._ended.update((parent_of_task(token), failed) for token in continuing)

    def tell_of(self, tokens: Iterable[str], listening: int | None) -> None:
        """Note tasks that ended, for the webhooks.

        Args:
            tokens: the tasks, in the order in which they ended.
            listening: `LISTENING`, as a statement of this transaction returned it. If nobody listens, nothing is noted.
        """
        if listening is not None:
            self._told += tokens
            self._listening = listening

    def apply(self) -> Closed:
        """Change the counts of the batches. Return what has ended.

        Call it once, after all changes of tasks. Batches are updated in the order of their ids.
        """
        rows = self._rows()
        finished = self._change(rows) if rows else ()
        if not (finished or self._ended or self._told):
            return NOTHING
        assert self._now is not None  # something has ended
        return closed(self._connection, finished, self._now, self._ended, told=self._told, listening=self._listening)

    def _change(self, rows: Sequence[Sequence[int]]) -> Sequence[Any]:
        """Change the counts of batches. Return the rows of those that finished."""
        if len(rows) > 1:  # a row that is updated alone needs no lock before
            lock_rows(self._connection, LOCK, rows)
        changed = self._connection.execute(_CHANGE, as_rows(rows) | {"now": self._now})
        finished = [row for row in changed if row.open == 0]
        if self._were_in_line:
            line.leave(self._connection, [row.id for row in finished])
        if self._reopens:
            self._connection.execute(_CONTINUE_AGAIN, as_rows(rows))
        return finished

    def _rows(self) -> list[list[int]]:
        """Return for each batch its row, and what is added to `open` and to the counts of `COUNTED`."""
        rows: dict[int, list[int]] = {}
        for (before, after), moved in self._moved.items():
            added = _added(before, after)
            if not any(added):
                continue
            for batch_id, count in _in_order(moved):
                row = rows.setdefault(batch_id, [batch_id, *(0 for _ in added)])
                for place, each in enumerate(added, start=1):
                    row[place] += each * count
        return [rows[batch_id] for batch_id in sorted(rows)]


def of_new_batch(accepted: int, scheduled: int, now: datetime) -> dict[str, object]:
    """Return the columns of a new batch that count its tasks. A batch whose elements were all refused is finished.

    Args:
        accepted: how many tasks the batch has.
        scheduled: how many of them wait for their due time.
        now: when it was submitted.
    """
    return {
        "accepted": accepted,
        "open": accepted,
        "scheduled": scheduled,
        "finished_at": None if accepted else micros(now),
    }


def of_open_batch(now: datetime) -> dict[str, object]:
    """Return the columns of a new open batch. Until it is sealed, its `open` is one more than its unfinished tasks."""
    return of_new_batch(0, 0, now) | {"open": 1, "finished_at": None, "filled_at": database_now(micros(now))}


def seal(connection: Connection, batch_id: int, by: str, now: datetime) -> tuple[bool, Closed]:
    """Seal a batch if it is open.

    Args:
        connection: the connection of a transaction that writes and has locked the elements of the batch.
        batch_id: the row of the batch.
        by: what seals it.
        now: the current time.

    Returns:
        Whether it was open, and what has ended: the batch, if it has no open task left.
    """
    row = connection.execute(_SEAL, {"batch": batch_id, "by": by, "now": micros(now)}).first()
    if row is None or row.open:
        return row is not None, NOTHING
    line.leave(connection, [batch_id])
    return True, closed(connection, [row], micros(now))


def tell_of_new_batch(connection: Connection, public_id: str, now: datetime) -> None:
    """Tell the webhooks of a new batch that is finished, because all of its elements were refused."""
    version = who_listens(connection)
    if version is not None:
        tell(connection, version, (), [public_id], micros(now))


def forget_tasks(connection: Connection, removed: Iterable[tuple[int | None, State]]) -> list[int]:
    """Subtract removed tasks from the counts of their batches. Batches are updated in the order of their ids.

    Args:
        connection: the connection of a transaction that writes.
        removed: the batch row of each removed task and the state in which it had ended; None for a task without a
            batch.

    Returns:
        The rows of the batches that lost tasks.
    """
    states: dict[int, Counter[State]] = {}
    for batch_id, state in removed:
        if batch_id is not None:
            states.setdefault(batch_id, Counter())[state] += 1
    for batch_id in sorted(states):
        lost = states[batch_id]
        counts = {"count": lost.total(), "failed_count": lost[State.FAILED], "canceled_count": lost[State.CANCELED]}
        connection.execute(_FORGET, {"batch": batch_id} | counts)
    return sorted(states)


def _added(before: State, after: State) -> tuple[int, ...]:
    """Return what a move between two states adds to `open` and to the counts of `COUNTED`."""
    return before.ended - after.ended, *((after is state) - (before is state) for state in COUNTED)


def _in_order(counted: Mapping[int | None, int]) -> list[tuple[int, int]]:
    """Return the batch rows and their numbers of tasks. All transactions have this order, so none blocks another."""
    return sorted((batch_id, count) for batch_id, count in counted.items() if batch_id is not None)


_ID = field(0, BigInteger())

LOCK = select(batches.c.id).where(batches.c.id.in_(select(_ID))).order_by(batches.c.id).with_for_update()

_CLOSING = (batches.c.id, batches.c.public_id, batches.c.open, batches.c.continues, LISTENING)

_OPEN = batches.c.open + field(1, BigInteger())

_CHANGE = (
    update(batches)
    .where(batches.c.id == _ID)
    .values(
        {state.value: batches.c[state.value] + field(place, BigInteger()) for place, state in enumerate(COUNTED, 2)}
    )
    .values(open=_OPEN, finished_at=case((_OPEN == 0, bindparam("now", type_=BigInteger)), else_=None))
    .returning(*_CLOSING)
)

_CONTINUE_AGAIN = update(batches).where(batches.c.id.in_(select(_ID)), batches.c.continues == 0).values(continues=1)


def _bound(name: str) -> Any:
    return bindparam(name, type_=BigInteger)


GROW = (
    update(batches)
    .where(batches.c.public_id == bindparam("public"))
    .values(
        accepted=batches.c.accepted + _bound("more"),
        open=batches.c.open + _bound("more"),
        rejected=batches.c.rejected + _bound("more_rejected"),
        scheduled=batches.c.scheduled + _bound("more_scheduled"),
        filled_at=database_now(_bound("now")),
    )
)

_SEAL = (
    update(batches)
    .where(batches.c.id == bindparam("batch"), batches.c.filled_at.is_not(None))
    .values(
        open=batches.c.open - 1,
        finished_at=case((batches.c.open == 1, _bound("now")), else_=None),
        filled_at=None,
        sealed_by=bindparam("by"),
    )
    .returning(*_CLOSING)
)

_IS_HELD = batches.c.reopening_until.is_not(None)

HOLD = (
    update(batches)
    .where(batches.c.id.in_(select(_ID)))
    .values(
        open=batches.c.open + case((_IS_HELD, 0), else_=1),
        finished_at=None,
        reopening_until=database_now(_bound("now")) + _bound("patience"),
    )
)

RELEASE = (
    update(batches)
    .where(batches.c.id.in_(select(_ID)), _IS_HELD)
    .values(
        open=batches.c.open - 1,
        finished_at=case((batches.c.open == 1, _bound("now")), else_=None),
        reopening_until=None,
    )
    .returning(*_CLOSING)
)

IS_LATE = _IS_HELD & (batches.c.reopening_until < database_now(_bound("now")))
"""The condition that a batch is held for too long."""

RELEASE_LATE = RELEASE.where(IS_LATE)

_FORGET = (
    update(batches)
    .where(batches.c.id == bindparam("batch"))
    .values(
        accepted=batches.c.accepted - _bound("count"),
        failed=batches.c.failed - _bound("failed_count"),
        canceled=batches.c.canceled - _bound("canceled_count"),
    )
)
