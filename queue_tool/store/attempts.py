"""Attempts in the store: one row for each run that did not succeed. A run that succeeds adds no row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, func, insert, literal, literal_column, select

from queue_tool.model.outcome import Attempt, Outcome
from queue_tool.model.states import Code, State
from queue_tool.store.engine.database import micros, micros_or_none, moment, moment_or_none
from queue_tool.store.tables import attempts, in_state, tasks, workers

LOST = "The worker died while it ran this task."


def attempt_of(row: Any) -> Attempt:
    """Return the attempt that a row describes."""
    return Attempt(
        attempt=row.attempt,
        run=row.run,
        worker=row.worker,
        started_at=moment_or_none(row.started_at),
        ended_at=moment(row.ended_at),
        code=row.code,
        error=row.error,
        traceback=row.traceback,
    )


def add(connection: Connection, outcomes: Sequence[Outcome], owner: int, now: datetime) -> None:
    """Record the failed runs of an owner."""
    if not outcomes:
        return
    worker = connection.execute(select(_WORKER).where(workers.c.id == owner)).scalar() or ""
    rows = [
        {
            "token": outcome.token,
            "attempt": outcome.attempt,
            "run": outcome.run,
            "worker": worker,
            "started_at": micros_or_none(outcome.started_at),
            "ended_at": micros(now),
            "code": outcome.code,
            "error": outcome.error,
            "traceback": outcome.traceback,
        }
        for outcome in outcomes
    ]
    connection.execute(insert(attempts), rows)


def add_lost(connection: Connection, owners: Sequence[int], now: datetime) -> None:
    """Record, for each running task of these owners, that its worker died."""
    connection.execute(_ADD_LOST, {"owners": list(owners), "now": micros(now)})


def add_canceled(connection: Connection, tokens: Sequence[str]) -> None:
    """Record the cancellations of canceled tasks, before the tasks are reopened."""
    connection.execute(_ADD_CANCELED, {"tokens": list(tokens)})


_WORKER = (
    workers.c.kind + literal(" ") + workers.c.host + literal(":") + func.cast(workers.c.pid, attempts.c.worker.type)
)

_COLUMNS = ["token", "attempt", "run", "worker", "started_at", "ended_at", "code", "error", "traceback"]

_ADD_LOST = insert(attempts).from_select(
    _COLUMNS,
    select(
        tasks.c.token,
        tasks.c.attempt,
        tasks.c.run,
        func.coalesce(_WORKER, ""),
        tasks.c.started_at,
        bindparam("now", type_=BigInteger),
        literal(Code.WORKER_LOST.value),
        literal(LOST),
        literal(""),
    )
    .outerjoin_from(tasks, workers, workers.c.id == tasks.c.owner)
    .where(in_state(State.RUNNING), tasks.c.owner.in_(bindparam("owners", expanding=True))),
)

_ADD_CANCELED = insert(attempts).from_select(
    _COLUMNS,
    select(
        tasks.c.token,
        tasks.c.attempt,
        tasks.c.run,
        literal(""),
        tasks.c.started_at,
        tasks.c.finished_at,
        literal(State.CANCELED.value),
        tasks.c.cancel_reason,
        literal_column("''"),
    ).where(in_state(State.CANCELED), tasks.c.token.in_(bindparam("tokens", expanding=True))),
)
