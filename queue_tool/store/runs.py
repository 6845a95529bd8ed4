"""Runs in the store: claimed by the batch, settled by the batch, taken back from the dead."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Float, Text, bindparam, case, func, insert, or_, select, update

from queue_tool.model import json_text
from queue_tool.model.outcome import Note, Outcome
from queue_tool.model.queues import Lane
from queue_tool.model.states import ALONE_FROM, MOST_LOSSES, MOVES, Code, Move, State
from queue_tool.model.task import Claimed
from queue_tool.model.ticket import Ticket
from queue_tool.store import attempts
from queue_tool.store.engine.database import Database, micros, micros_or_none
from queue_tool.store.engine.rows import field, is_among
from queue_tool.store.moves import close_batches, lock_tasks, lock_tokens, update_for
from queue_tool.store.queues import PAUSED
from queue_tool.store.tables import events, in_state, tasks
from queue_tool.store.tickets import TICKET_COLUMNS, ticket_of

LOST_TOO_OFTEN = f"{MOST_LOSSES} workers died while they ran this task."


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What a settle has really changed."""

    tokens: frozenset[str]  # of the runs that ended by it
    finished: tuple[str, ...]  # ids of the batches whose last open task ended by it


NOTHING_SETTLED = Settled(tokens=frozenset(), finished=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one transaction of a worker has changed."""

    settled: Settled
    claimed: list[Claimed]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """What became of the tasks of dead workers."""

    tickets: tuple[Ticket, ...]  # of those that run again
    given_up: tuple[str, ...]  # tokens of those that do not
    finished: tuple[str, ...]  # ids of the batches whose last open task was given up


class Runs:
    """The runs of the table of tasks."""

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
        return self.turn((), runs, owner, now).claimed

    def settle(self, outcomes: Sequence[Outcome], owner: int, now: datetime) -> Settled:
        """Keep how runs ended, where they still run and are this owner's."""
        return self.turn(outcomes, (), owner, now).settled

    def turn(
        self,
        outcomes: Sequence[Outcome],
        runs: Sequence[tuple[str, int]],
        owner: int,
        now: datetime,
        notes: Sequence[Note] = (),
    ) -> Turn:
        """Settle what has ended and claim what comes next, in one transaction."""
        with self._database.write() as connection:
            lock_tokens(connection, _tokens_of(notes, outcomes, runs))
            if notes:
                _note(connection, notes, owner, now)
            settled = _settle(connection, outcomes, owner, now) if outcomes else NOTHING_SETTLED
            claimed = _claim(connection, runs, owner, now) if runs else []
        return Turn(settled=settled, claimed=claimed)

    def held(self, owner: int) -> set[str]:
        """Return the tokens of the tasks that run at this owner."""
        running = select(tasks.c.token).where(in_state(State.RUNNING), tasks.c.owner == owner)
        with self._database.read() as connection:
            return set(connection.execute(running).scalars())

    def take_back(self, owners: Sequence[int], now: datetime) -> TakenBack:
        """Put what dead workers held back into the queue, as new runs; give up what was lost too often."""
        held = {"owners": list(owners)}
        with self._database.write() as connection:
            lock_tasks(connection, in_state(State.RUNNING) & tasks.c.owner.in_(owners))
            attempts.add_lost(connection, owners, now)
            given_up = connection.execute(_GIVE_UP, held | {"now": micros(now)}).all()
            finished = close_batches(connection, Counter(row.batch_id for row in given_up), now)
            rows = connection.execute(_LOSE, held).all()
        return TakenBack(
            tickets=tuple(ticket_of(row) for row in rows),
            given_up=tuple(row.token for row in given_up),
            finished=finished,
        )


_CLAIMABLE = (
    is_among(tasks.c.token, bindparam("rows", type_=Text)),
    tasks.c.run == bindparam("claimed_run"),
    tasks.c.priority.not_in(PAUSED),
    or_(tasks.c.expires_at.is_(None), tasks.c.expires_at > bindparam("now"), tasks.c.run > 1),
)

_CLAIM = (
    update_for(Move.CLAIM)
    .where(*_CLAIMABLE)
    .values(owner=bindparam("owner"), started_at=bindparam("now"))
    .returning(
        tasks.c.token,
        tasks.c.run,
        tasks.c.attempt,
        tasks.c.task_type,
        tasks.c.data,
        tasks.c.losses,
        tasks.c.max_attempts,
        tasks.c.forgiven,
        tasks.c.timeout,
        tasks.c.parameters,
    )
)

_LOSE = (
    update_for(Move.LOSE, keyed=False)
    .where(tasks.c.owner.in_(bindparam("owners", expanding=True)))
    .values(lane=case((tasks.c.losses >= ALONE_FROM - 1, Lane.ISOLATED.value), else_=tasks.c.lane))
    .returning(*TICKET_COLUMNS)
)

_GIVE_UP = (
    update_for(Move.GIVE_UP, keyed=False)
    .where(tasks.c.owner.in_(bindparam("owners", expanding=True)), tasks.c.losses >= MOST_LOSSES - 1)
    .values(finished_at=bindparam("now"), code=Code.WORKER_LOST.value, error=LOST_TOO_OFTEN)
    .returning(tasks.c.token, tasks.c.batch_id)
)

_FENCED = (
    tasks.c.token == field(0),
    tasks.c.run == field(1, BigInteger()),
    tasks.c.owner + 0 == bindparam("run_owner"),  # a bare column would make SQLite walk all that the owner holds
)

_ENDED: dict[str, Any] = {
    "finished_at": bindparam("now"),
    "result": field(2),
    "code": field(3),
    "error": field(4),
}

_KEPT: dict[Move, dict[str, Any]] = {
    Move.FINISH: _ENDED,
    Move.FAIL: _ENDED,
    Move.RETRY_LATER: {"due_at": field(5, BigInteger())},
    Move.PUT_BACK: {},
}
"""What is kept of a run by each move that may end it."""

_SETTLE = {
    move: update_for(move).where(*_FENCED).values(kept).returning(tasks.c.token, tasks.c.batch_id)
    for move, kept in _KEPT.items()
}

_PROGRESS = (
    update(tasks)
    .where(*_FENCED, in_state(State.RUNNING, keyed=True))
    .values(progress=func.coalesce(field(2, Float()), tasks.c.progress), note=func.coalesce(field(3), tasks.c.note))
    .returning(tasks.c.token)
)


def _claim(connection: Connection, runs: Sequence[tuple[str, int]], owner: int, now: datetime) -> list[Claimed]:
    said = {"owner": owner, "now": micros(now)}
    return [
        Claimed(
            token=token,
            run=run,
            attempt=attempt,
            task_type=sys.intern(task_type),
            data=data,
            started_at=now,
            losses=losses,
            max_attempts=max_attempts,
            forgiven=forgiven,
            timeout=timeout,
            parameters=parameters,
        )
        for number, tokens in _by_run(runs).items()
        for (
            token,
            run,
            attempt,
            task_type,
            data,
            losses,
            max_attempts,
            forgiven,
            timeout,
            parameters,
        ) in connection.execute(_CLAIM, said | {"claimed_run": number, "rows": json_text.dumps(tokens).decode()})
    ]


def _settle(connection: Connection, outcomes: Sequence[Outcome], owner: int, now: datetime) -> Settled:
    tokens: list[str] = []
    ended: Counter[int | None] = Counter()
    for name in dict.fromkeys(outcome.move for outcome in outcomes):
        rows = [
            (outcome.token, outcome.run, outcome.result, outcome.code, outcome.error, micros_or_none(outcome.due_at))
            for outcome in outcomes
            if outcome.move == name
        ]
        said = {"run_owner": owner, "now": micros(now), "rows": json_text.dumps(rows).decode()}
        changed = connection.execute(_SETTLE[name], said).all()
        tokens += [token for token, _ in changed]
        if MOVES[name].target.ended:
            ended.update(batch_id for _, batch_id in changed)
    settled = frozenset(tokens)
    attempts.add(connection, [one for one in outcomes if one.code and one.token in settled], owner, now)
    return Settled(tokens=settled, finished=close_batches(connection, ended, now))


def _note(connection: Connection, notes: Sequence[Note], owner: int, now: datetime) -> None:
    """Keep progress and log lines of runs that are still this owner's."""
    rows = [(one.token, one.run, one.progress, one.note if one.progress is not None else None) for one in notes]
    said = {"run_owner": owner, "rows": json_text.dumps(rows).decode()}
    ours = set(connection.execute(_PROGRESS, said).scalars())
    lines = [
        {"token": one.token, "run": one.run, "at": micros(now), "text": line}
        for one in notes
        if one.token in ours
        for line in one.lines
    ]
    if lines:
        connection.execute(insert(events), lines)


def _tokens_of(notes: Sequence[Note], outcomes: Sequence[Outcome], runs: Sequence[tuple[str, int]]) -> Iterator[str]:
    yield from (one.token for one in notes)
    yield from (one.token for one in outcomes)
    yield from (token for token, _ in runs)


def _by_run(runs: Sequence[tuple[str, int]]) -> dict[int, list[str]]:
    """Return the tokens by their run: SQLite finds pairs of values in no index."""
    grouped: dict[int, list[str]] = {}
    for token, run in runs:
        grouped.setdefault(run, []).append(token)
    return grouped
