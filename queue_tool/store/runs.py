"""Runs in the store: workers claim and settle many at once, and the sweeper takes back the runs of dead workers."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Float, Text, bindparam, delete, func, insert, or_, select, update

from queue_tool.model.outcome import MOST_LINES, Note, Outcome
from queue_tool.model.states import Move, State
from queue_tool.model.task import Claimed
from queue_tool.model.ticket import Ticket
from queue_tool.store import attempts, ends
from queue_tool.store.engine.database import Database, micros, micros_or_none, moment_or_none
from queue_tool.store.engine.rows import as_rows, field, is_among
from queue_tool.store.listening import LISTENING
from queue_tool.store.losses import LANE_AFTER_A_LOSS, NOTHING_KNOWN, TakenBack, take_back
from queue_tool.store.moves import closes, lock_tokens, update_for
from queue_tool.store.queues import PAUSED
from queue_tool.store.tables import events, in_state, tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What a settle changed. Runs that were settled before or belong to another worker are missing."""

    tokens: frozenset[str]  # tokens of the settled runs
    finished: tuple[str, ...]  # ids of the batches that have no open task left
    made: tuple[Ticket, ...] = ()  # tickets of the continuations of what has ended


NOTHING_SETTLED = Settled(tokens=frozenset(), finished=())


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledAndClaimed:
    """What one transaction of a worker changed."""

    settled: Settled
    claimed: list[Claimed]


class Runs:
    """The runs of tasks."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database

    def settle_and_claim(
        self,
        outcomes: Sequence[Outcome],
        runs: Sequence[tuple[str, int]],
        owner: int,
        now: datetime,
        notes: Sequence[Note] = (),
    ) -> SettledAndClaimed:
        """Settle runs that ended and claim the next runs, in one transaction.

        Args:
            outcomes: how runs ended. An outcome is stored only if its run is still running and has this owner.
            runs: the token and the run of each task to claim. A task that is missing in the result was claimed by
                another worker or has ended.
            owner: the worker process that settles and claims.
            now: when the settled runs end and the claimed runs start.
            notes: progress and log lines of runs that are still running.

        Raises:
            StoreAway: the database is busy or away; nothing was stored.
        """
        with self._database.write() as connection:
            lock_tokens(connection, _tokens_of(notes, outcomes, runs))
            if notes:
                _store_notes(connection, notes, owner, now)
            settled = _settle(connection, outcomes, owner, now) if outcomes else NOTHING_SETTLED
            claimed = _claim(connection, runs, owner, now) if runs else []
        return SettledAndClaimed(settled=settled, claimed=claimed)

    def running_at(self, owner: int) -> set[str]:
        """Return the tokens of the running tasks of an owner."""
        running = select(tasks.c.token).where(in_state(State.RUNNING), tasks.c.owner == owner)
        with self._database.read() as connection:
            return set(connection.execute(running).scalars())

    def busy(self, owners: Sequence[int]) -> list[int]:
        """Return those of the owners that have a running task."""
        running = select(tasks.c.owner).distinct().where(in_state(State.RUNNING), tasks.c.owner.in_(owners))
        with self._database.read() as connection:
            return list(connection.execute(running).scalars())

    def take_back(
        self, owners: Sequence[int], now: datetime, begun: Mapping[int, Collection[str]] = NOTHING_KNOWN
    ) -> TakenBack:
        """Queue the running tasks of dead workers again, each as a new run. Fail the tasks that were lost too often.

        Args:
            owners: the workers.
            now: the time.
            begun: by owner, the ids of the tickets whose functions had been called. All other tasks of these owners are
                put back without a loss. If an owner is missing, it may have called the functions of all its tasks.
        """
        with self._database.write() as connection:
            return take_back(connection, owners, now, begun)


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
        tasks.c.resignations,
        tasks.c.max_attempts,
        tasks.c.forgiven,
        tasks.c.timeout,
        tasks.c.parameters,
        tasks.c.parent,
        tasks.c.due_at,
    )
)

_FENCED = (
    tasks.c.token == field(0),
    tasks.c.run == field(1, BigInteger()),
    tasks.c.owner + 0 == bindparam("run_owner"),  # without `+ 0`, SQLite would scan all running tasks of the owner
)

_ENDED: dict[str, Any] = {
    "result": field(2),
    "code": field(3),
    "error": field(4),
    "started_at": func.coalesce(field(6, BigInteger()), tasks.c.started_at),  # the claim may have come long before
}

_STORED: dict[Move, dict[str, Any]] = {
    Move.FINISH: _ENDED | {"progress": 1.0},  # the last progress that the function reported may be a lower one
    Move.FAIL: _ENDED,
    Move.RETRY_LATER: {"due_at": field(5, BigInteger())},
    Move.PUT_BACK: {},
    Move.RESIGN: {},
    Move.LOSE: {"lane": LANE_AFTER_A_LOSS},
    Move.GIVE_UP: _ENDED,
}
"""The columns that each move stores when a run ends."""

_SETTLE = {
    move: (ends.closing if closes(move) else update_for)(move)
    .where(*_FENCED)
    .values(stored)
    .returning(tasks.c.token, tasks.c.batch_id, tasks.c.continues, *([LISTENING] if closes(move) else []))
    for move, stored in _STORED.items()
}

_PROGRESS = (
    update(tasks)
    .where(*_FENCED, in_state(State.RUNNING, keyed=True))
    .values(progress=func.coalesce(field(2, Float()), tasks.c.progress), note=func.coalesce(field(3), tasks.c.note))
    .returning(tasks.c.token)
)


_OF_RUN = (events.c.token == bindparam("of"), events.c.run == bindparam("of_run"))

_FORGET_LINES = delete(events).where(
    *_OF_RUN, events.c.id.not_in(select(events.c.id).where(*_OF_RUN).order_by(events.c.id.desc()).limit(MOST_LINES))
)
"""Keeps the last lines of a run only."""


def _claim(connection: Connection, runs: Sequence[tuple[str, int]], owner: int, now: datetime) -> list[Claimed]:
    shared = {"owner": owner, "now": micros(now)}
    return [
        Claimed(
            token=token,
            run=run,
            attempt=attempt,
            task_type=sys.intern(task_type),
            data=data,
            started_at=now,
            losses=losses,
            resignations=resignations,
            max_attempts=max_attempts,
            forgiven=forgiven,
            timeout=timeout,
            parameters=parameters,
            parent=parent,
            due_at=moment_or_none(due_at),
        )
        for number, tokens in _by_run(runs).items()
        for (
            token,
            run,
            attempt,
            task_type,
            data,
            losses,
            resignations,
            max_attempts,
            forgiven,
            timeout,
            parameters,
            parent,
            due_at,
        ) in connection.execute(_CLAIM, shared | {"claimed_run": number} | as_rows(tokens)).all()
    ]


def _settle(connection: Connection, outcomes: Sequence[Outcome], owner: int, now: datetime) -> Settled:
    tokens: list[str] = []
    changes = ends.BatchChanges(connection, now)
    for move in dict.fromkeys(outcome.move for outcome in outcomes):
        rows = [
            (
                outcome.token,
                outcome.run,
                outcome.result,
                outcome.code,
                outcome.error,
                micros_or_none(outcome.due_at),
                micros_or_none(outcome.started_at),
            )
            for outcome in outcomes
            if outcome.move is move
        ]
        changed = connection.execute(_SETTLE[move], {"run_owner": owner, "now": micros(now)} | as_rows(rows)).all()
        settled_now = [row[0] for row in changed]
        tokens += settled_now
        changes.add(move, (row[1] for row in changed), continuing=[row[0] for row in changed if row[2]])
        if changed and closes(move):
            changes.tell_of(settled_now, changed[0].listening)
    settled = frozenset(tokens)
    attempts.add(connection, [outcome for outcome in outcomes if outcome.code and outcome.token in settled], owner, now)
    ended = changes.apply()
    return Settled(tokens=settled, finished=ended.finished, made=ended.made)


def _store_notes(connection: Connection, notes: Sequence[Note], owner: int, now: datetime) -> None:
    """Store the progress and the log lines of runs that still belong to this owner."""
    rows = [(note.token, note.run, note.progress, None if note.progress is None else note.note) for note in notes]
    ours = set(connection.execute(_PROGRESS, {"run_owner": owner} | as_rows(rows)).scalars())
    lines = [
        {"token": note.token, "run": note.run, "at": micros(now), "text": line}
        for note in notes
        if note.token in ours
        for line in note.lines
    ]
    if lines:
        connection.execute(insert(events), lines)
        longest = [
            {"of": note.token, "of_run": note.run} for note in notes if note.token in ours and _has_outgrown(note)
        ]
        if longest:
            connection.execute(_FORGET_LINES, longest)


def _has_outgrown(note: Note) -> bool:
    """Return whether the log of a run has grown by another `MOST_LINES`, so that old lines must go."""
    return note.logged // MOST_LINES > max(1, (note.logged - len(note.lines)) // MOST_LINES)


def _tokens_of(notes: Sequence[Note], outcomes: Sequence[Outcome], runs: Sequence[tuple[str, int]]) -> Iterator[str]:
    yield from (note.token for note in notes)
    yield from (outcome.token for outcome in outcomes)
    yield from (token for token, _ in runs)


def _by_run(runs: Sequence[tuple[str, int]]) -> dict[int, list[str]]:
    """Return the tokens grouped by run, because SQLite cannot use an index for pairs of values."""
    grouped: dict[int, list[str]] = {}
    for token, run in runs:
        grouped.setdefault(run, []).append(token)
    return grouped
