"""Tasks in the store: read their status by token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import bindparam, select

from queue_tool.model.states import Code, State
from queue_tool.model.task import Status
from queue_tool.store.engine.database import Database, moment, moment_or_none
from queue_tool.store.engine.lookup import Lookup
from queue_tool.store.tables import batches, tasks

CHUNK = 500
"""The most tokens in one statement."""

FEW = 16
"""Tokens in the one statement that is compiled in advance."""


class Tasks:
    """The table of tasks."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database
        self._status = Lookup(database, _STATUS)
        self._statuses = Lookup(database, _STATUSES)

    def status(self, token: str) -> Status | None:
        """Return the status of a task, or None for an unknown token."""
        row = self._status.first(token=token)
        return None if row is None else Status(**status_fields(row))

    def statuses(self, tokens: Sequence[str]) -> dict[str, Status]:
        """Return the statuses of these tasks by token. Unknown tokens are left out."""
        known: dict[str, Status] = {}
        for start in range(0, len(tokens), FEW):
            wanted = tokens[start : start + FEW]
            padded = [*wanted, *[wanted[0]] * (FEW - len(wanted))]
            rows = self._statuses.all(**dict(zip(_PLACES, padded, strict=True)))
            known |= {row.token: Status(**status_fields(row)) for row in rows}
        return known

    def ended(self, tokens: Sequence[str]) -> set[str]:
        """Return the given tokens whose tasks have ended or do not exist (any more)."""
        known = self.states(tokens)
        return {token for token in tokens if token not in known or known[token].ended}

    def states(self, tokens: Sequence[str]) -> dict[str, State]:
        """Return the states of these tasks by token. Unknown tokens are left out."""
        known: dict[str, State] = {}
        with self._database.read() as connection:
            for chunk in chunks(tokens):
                rows = connection.execute(_STATES, {"tokens": chunk})
                known |= {token: State(state) for token, state in rows}
        return known


_FIELDS = (
    "token", "task_type", "data", "state", "run", "attempt", "created_at", "started_at", "finished_at", "result",
    "code", "error", "progress", "note", "canceled_by", "cancel_reason", "canceled_key",
)  # fmt: skip
"""The columns that `status_fields` reads. To read all columns of a task takes measurably longer."""

_WITH_BATCH = select(*(tasks.c[name] for name in _FIELDS), batches.c.public_id.label("batch")).outerjoin(
    batches, batches.c.id == tasks.c.batch_id
)

_STATUS = _WITH_BATCH.where(tasks.c.token == bindparam("token"))

_PLACES = [f"token_{place}" for place in range(FEW)]

_STATUSES = _WITH_BATCH.where(tasks.c.token.in_([bindparam(place) for place in _PLACES]))

_STATES = select(tasks.c.token, tasks.c.state).where(tasks.c.token.in_(bindparam("tokens", expanding=True)))


def status_fields(row: Any) -> dict[str, Any]:
    """Return the fields of a status from the row of a task with the extra column `batch`."""
    return {
        "token": row.token,
        "batch": row.batch,
        "task_type": row.task_type,
        "data": row.data,
        "state": State(row.state),
        "run": row.run,
        "attempt": row.attempt,
        "created_at": moment(row.created_at),
        "started_at": moment_or_none(row.started_at),
        "finished_at": moment_or_none(row.finished_at),
        "result": row.result,
        "code": Code(row.code) if row.code else None,
        "error": row.error,
        "progress": row.progress,
        "note": row.note,
        "canceled_by": row.canceled_by,
        "cancel_reason": row.cancel_reason,
        "canceled_key": row.canceled_key,
    }


def chunks(rows: Sequence[Any]) -> Iterator[list[Any]]:
    """Split the rows into parts of at most `CHUNK` rows."""
    return (list(rows[start : start + CHUNK]) for start in range(0, len(rows), CHUNK))
