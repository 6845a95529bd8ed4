"""How a batch becomes rows: one for itself, one for each task and one for each refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import BigInteger, Connection, Integer, Text, bindparam, insert, literal_column, select

from queue_tool import json_text
from queue_tool.batch import Accepted, NewBatch, Refused
from queue_tool.store.database import micros, micros_or_none
from queue_tool.store.rows import field
from queue_tool.store.tables import batches, refusals, tasks
from queue_tool.tasks import Fence, State

ROWS = 5000
"""Tasks that one statement adds."""


def add_rows(connection: Connection, new: NewBatch, *, held: bool) -> int:
    """Add a batch; return the id of its row.

    Args:
        connection: of a transaction that writes.
        new: the batch.
        held: whether its tasks wait here, and not in Redis, until there is room.
    """
    now = micros(new.created_at)
    waits_here = held or new.must_wait
    batch_id: int = connection.execute(
        insert(batches).returning(batches.c.id),
        {
            "public_id": new.id,
            "accepted": len(new.accepted),
            "rejected": len(new.refused),
            "open": len(new.accepted),
            "created_at": now,
            "pushed_at": None if new.accepted and not waits_here else now,
            "finished_at": None if new.accepted else now,
        },
    ).scalar_one()
    same = {
        "batch_id": batch_id,
        "task_type": new.task_type.name,
        "priority": new.task_type.priority.value,
        "lane": new.task_type.lane.value,
        "state": (State.SCHEDULED if new.must_wait else State.QUEUED).value,
        "due_at": micros_or_none(new.timing.due_at),
        "expires_at": micros_or_none(new.timing.expires_at),
        "created_at": now,
        "pushed_at": None if waits_here else now,  # as far as the task knows; the batch's own says whether it is true
    }
    for start in range(0, len(new.accepted), ROWS):
        connection.execute(_ADD_TASKS, same | {"rows": _task_rows(new.accepted[start : start + ROWS])})
    if new.refused:
        connection.execute(insert(refusals), _refusal_rows(new.refused, batch_id))
    return batch_id


def _task_rows(accepted: Sequence[Accepted]) -> str:
    """Return what each task has for itself, as `_ADD_TASKS` reads it."""
    dumps = json_text.dumps
    return dumps([(one.token, one.index, dumps(one.data).decode()) for one in accepted]).decode()


def _refusal_rows(refused: Sequence[Refused], batch_id: int) -> list[dict[str, object]]:
    return [
        {
            "batch_id": batch_id,
            "position": one.index,
            "item": json_text.dumps(one.item).decode(),
            "errors": json_text.dumps([asdict(error) for error in one.errors]).decode(),
        }
        for one in refused
    ]


_FRESH = Fence()

_COLUMNS = {
    "token": field(0),
    "position": field(1, Integer()),
    "data": field(2),
    "batch_id": bindparam("batch_id", type_=BigInteger),
    "task_type": bindparam("task_type", type_=Text),
    "priority": bindparam("priority", type_=Text),
    "lane": bindparam("lane", type_=Text),
    "created_at": bindparam("created_at", type_=BigInteger),
    "pushed_at": bindparam("pushed_at", type_=BigInteger),
    "due_at": bindparam("due_at", type_=BigInteger),
    "expires_at": bindparam("expires_at", type_=BigInteger),
    "state": bindparam("state", type_=Text),
    "run": literal_column(str(_FRESH.run)),
    "attempt": literal_column(str(_FRESH.attempt)),
    "losses": literal_column(str(_FRESH.losses)),
}

_ADD_TASKS = insert(tasks).from_select(list(_COLUMNS), select(*_COLUMNS.values()))
