"""What is still known about the tasks and batches that a message lists, when it is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Text, bindparam, case, func, select

from queue_tool.model import json_text
from queue_tool.model.states import State
from queue_tool.model.times import rfc3339
from queue_tool.model.webhook import LONGEST_RESULT, OF_STATE, End, Event
from queue_tool.store.engine.database import Database, moment
from queue_tool.store.engine.rows import as_rows, is_among
from queue_tool.store.tables import batches, tasks


def facts_of(database: Database, ends: Sequence[End]) -> dict[str, dict[str, Any]]:
    """Return by the id of an end what is known about its task or batch: the values of a message, JSON except `result`.

    A task that was removed, or that has been retried since, has none.
    """
    tokens = [end.subject for end in ends if end.event != Event.BATCH_FINISHED]
    finished = [end.subject for end in ends if end.event == Event.BATCH_FINISHED]
    with database.read() as connection:
        found = connection.execute(_TASKS, as_rows(tokens)).all() if tokens else []
        of_batches = connection.execute(_BATCHES, as_rows(finished)).all() if finished else []
    return dict([*map(_of_task, filter(_has_ended, found)), *_of_batches(of_batches)])


def _has_ended(row: Any) -> bool:
    return State(row.state) in OF_STATE


def _of_task(row: Any) -> tuple[str, dict[str, Any]]:
    end = End(OF_STATE[State(row.state)], row.token, row.run)
    return end.id, {
        "batch": row.public_id,
        "name": row.name,
        "custom_id": row.custom_id,
        "status": row.state,
        "attempt": row.attempt,
        "error": row.error,
        "created_at": _time(row.created_at),
        "started_at": _time(row.started_at),
        "finished_at": _time(row.finished_at),
        "result": row.result,
    }


def _of_batches(rows: Sequence[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for row in rows:
        if row.finished_at is not None:
            yield (
                End(Event.BATCH_FINISHED, row.public_id, row.finished_at).id,
                {
                    "name": row.name,
                    "metadata": json_text.embed(row.metadata) or {},
                    "total": row.accepted + row.rejected,
                    "accepted": row.accepted,
                    "rejected": row.rejected,
                    "finished": row.accepted - row.failed - row.canceled,
                    "failed": row.failed,
                    "canceled": row.canceled,
                    "created_at": _time(row.created_at),
                    "finished_at": _time(row.finished_at),
                },
            )


def _time(stored: int | None) -> str | None:
    return None if stored is None else rfc3339(moment(stored))


_THESE = bindparam("rows", type_=Text)

_TASKS = (
    select(
        tasks.c.token,
        tasks.c.state,
        tasks.c.run,
        tasks.c.name,
        tasks.c.custom_id,
        tasks.c.attempt,
        tasks.c.error,
        tasks.c.created_at,
        tasks.c.started_at,
        tasks.c.finished_at,
        case((func.length(tasks.c.result) <= LONGEST_RESULT, tasks.c.result)).label("result"),
        batches.c.public_id,
    )
    .select_from(tasks.outerjoin(batches, batches.c.id == tasks.c.batch_id))
    .where(is_among(tasks.c.token, _THESE))
)

_BATCHES = select(batches).where(is_among(batches.c.public_id, _THESE))
