"""Tasks in the store: every change of state is one UPDATE that says what must still be true.

A row that such an UPDATE does not find was changed by somebody else in the meantime. That is not an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Update, bindparam, case, select, update

from queue_tool.store.database import Database, micros, moment, moment_or_none
from queue_tool.store.tables import batches, in_state, tasks
from queue_tool.store.tickets import TICKET_COLUMNS, ticket_of
from queue_tool.tasks import MOST_LOSSES, MOVES, Claimed, Code, Outcome, State, Status, Ticket

CHUNK = 500
"""Rows that one statement names."""

LOST_TOO_OFTEN = f"{MOST_LOSSES} workers died while they ran this task."


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What a settle has really changed."""

    tokens: frozenset[str]  # of the runs that ended by it
    finished: tuple[str, ...]  # ids of the batches whose last open task ended by it


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """What became of the tasks of dead workers."""

    tickets: tuple[Ticket, ...]  # of those that run again
    given_up: tuple[str, ...]  # tokens of those that do not
    finished: tuple[str, ...]  # ids of the batches whose last open task was given up


class Tasks:
    """The table of tasks."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._database = database

    # -- the life of a run ---------------------------------------------------------------------------------

    def claim(self, runs: Sequence[tuple[str, int]], owner: int, now: datetime) -> list[Claimed]:
        """Move queued tasks to running; what is missing in the answer is somebody else's, or over.

        Args:
            runs: token and run of each.
            owner: the worker that claims them.
            now: when they start.
        """
        with self._database.write() as connection:
            return [
                Claimed(
                    token=row.token,
                    run=row.run,
                    attempt=row.attempt,
                    task_type=row.task_type,
                    data=row.data,
                    started_at=moment(row.started_at),
                )
                for run, tokens in _by_run(runs).items()
                for chunk in _chunks(tokens)
                for row in connection.execute(
                    _CLAIM, {"tokens": chunk, "claimed_run": run, "owner": owner, "now": micros(now)}
                )
            ]

    def settle(self, outcomes: Sequence[Outcome], owner: int, now: datetime) -> Settled:
        """Keep how runs ended, where they still run and are this owner's."""
        ours: dict[tuple[str, int], int | None] = {}
        with self._database.write() as connection:
            for chunk in _chunks(outcomes):
                ours |= _still_ours(connection, chunk, owner)
            valid = [outcome for outcome in outcomes if (outcome.token, outcome.run) in ours]
            for name in {outcome.move for outcome in valid}:
                rows = [_settled_row(outcome, owner, now) for outcome in valid if outcome.move == name]
                connection.execute(_SETTLE[name], rows)
            ended = Counter(ours[outcome.token, outcome.run] for outcome in valid if MOVES[outcome.move].target.ended)
            finished = _close(connection, ended, now)
        return Settled(tokens=frozenset(outcome.token for outcome in valid), finished=finished)

    def take_back(self, owners: Sequence[int], now: datetime) -> TakenBack:
        """Put what dead workers held back into the queue, as new runs; give up what was lost too often."""
        held = {"owners": list(owners)}
        with self._database.write() as connection:
            given_up = connection.execute(_GIVE_UP, held | {"now": micros(now)}).all()
            finished = _close(connection, Counter(row.batch_id for row in given_up), now)
            rows = connection.execute(_LOSE, held).all()
        return TakenBack(
            tickets=tuple(ticket_of(row) for row in rows),
            given_up=tuple(row.token for row in given_up),
            finished=finished,
        )

    # -- what users ask ------------------------------------------------------------------------------------

    def status(self, token: str) -> Status | None:
        """Return how a task stands; None for a token that is not known."""
        with self._database.read() as connection:
            row = connection.execute(_STATUS, {"token": token}).first()
        return None if row is None else _status(row)

    def ended(self, tokens: Sequence[str]) -> set[str]:
        """Return those of these tokens whose tasks have ended, or are not there (any more)."""
        known = self.states(tokens)
        return {token for token in tokens if token not in known or known[token].ended}

    def states(self, tokens: Sequence[str]) -> dict[str, State]:
        """Return the state of each task that is known."""
        known: dict[str, State] = {}
        with self._database.read() as connection:
            for chunk in _chunks(tokens):
                rows = connection.execute(_STATES, {"tokens": chunk})
                known |= {token: State(state) for token, state in rows}
        return known


def _update_for(name: str) -> Update:
    """Return the UPDATE of a move: its condition is the fence, its values are what the move changes."""
    move = MOVES[name]
    values: dict[str, Any] = {"state": move.target.value}
    if move.target is not State.RUNNING:
        values["owner"] = None
    if move.new_run:
        values |= {"run": tasks.c.run + 1, "pushed_at": None, "started_at": None}
    if move.new_attempt:
        values["attempt"] = tasks.c.attempt + 1
    if move.loss:
        values["losses"] = tasks.c.losses + 1
    return update(tasks).where(in_state(*move.sources)).values(values)


_CLAIM = (
    _update_for("claim")
    .where(tasks.c.token.in_(bindparam("tokens", expanding=True)), tasks.c.run == bindparam("claimed_run"))
    .values(owner=bindparam("owner"), started_at=bindparam("now"))
    .returning(tasks.c.token, tasks.c.run, tasks.c.attempt, tasks.c.task_type, tasks.c.data, tasks.c.started_at)
)

_LOSE = _update_for("lose").where(tasks.c.owner.in_(bindparam("owners", expanding=True))).returning(*TICKET_COLUMNS)

_GIVE_UP = (
    _update_for("give up")
    .where(tasks.c.owner.in_(bindparam("owners", expanding=True)), tasks.c.losses >= MOST_LOSSES - 1)
    .values(finished_at=bindparam("now"), code=Code.WORKER_LOST.value, error=LOST_TOO_OFTEN)
    .returning(tasks.c.token, tasks.c.batch_id)
)

_FENCED = (
    tasks.c.token == bindparam("run_token"),
    tasks.c.run == bindparam("run_number"),
    tasks.c.owner == bindparam("run_owner"),
)

_ENDED: dict[str, Any] = {
    "finished_at": bindparam("now"),
    "result": bindparam("end_result"),
    "code": bindparam("end_code"),
    "error": bindparam("end_error"),
}

_SETTLE = {
    "finish": _update_for("finish").where(*_FENCED).values(_ENDED),
    "fail": _update_for("fail").where(*_FENCED).values(_ENDED),
    "put back": _update_for("put back").where(*_FENCED),
}

_HELD = (
    select(tasks.c.token, tasks.c.run, tasks.c.batch_id)
    .where(
        tasks.c.token.in_(bindparam("tokens", expanding=True)),
        in_state(State.RUNNING),
        tasks.c.owner == bindparam("owner"),
    )
    .with_for_update()
)

_STATUS = (
    select(tasks, batches.c.public_id.label("batch"))
    .outerjoin(batches, batches.c.id == tasks.c.batch_id)
    .where(tasks.c.token == bindparam("token"))
)

_STATES = select(tasks.c.token, tasks.c.state).where(tasks.c.token.in_(bindparam("tokens", expanding=True)))


def _still_ours(connection: Connection, outcomes: Sequence[Outcome], owner: int) -> dict[tuple[str, int], int | None]:
    """Return the batch of each run that the fence lets through."""
    held = connection.execute(_HELD, {"tokens": [outcome.token for outcome in outcomes], "owner": owner})
    return {(row.token, row.run): row.batch_id for row in held}


def _settled_row(outcome: Outcome, owner: int, now: datetime) -> dict[str, object]:
    fence = {"run_token": outcome.token, "run_number": outcome.run, "run_owner": owner}
    if not MOVES[outcome.move].target.ended:
        return fence
    return fence | {
        "now": micros(now),
        "end_result": outcome.result,
        "end_code": outcome.code,
        "end_error": outcome.error,
    }


def _close(connection: Connection, ended: Counter[int | None], now: datetime) -> tuple[str, ...]:
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


def _status(row: Row[Any]) -> Status:
    return Status(
        token=row.token,
        batch=row.batch,
        task_type=row.task_type,
        data=row.data,
        state=State(row.state),
        attempt=row.attempt,
        created_at=moment(row.created_at),
        started_at=moment_or_none(row.started_at),
        finished_at=moment_or_none(row.finished_at),
        result=row.result,
        code=Code(row.code) if row.code else None,
        error=row.error,
    )


def _by_run(runs: Sequence[tuple[str, int]]) -> dict[int, list[str]]:
    """Return the tokens by their run: SQLite finds pairs of values in no index."""
    grouped: dict[int, list[str]] = {}
    for token, run in runs:
        grouped.setdefault(run, []).append(token)
    return grouped


def _chunks(rows: Sequence[Any]) -> Iterator[list[Any]]:
    return (list(rows[start : start + CHUNK]) for start in range(0, len(rows), CHUNK))
