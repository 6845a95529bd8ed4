"""Failed tasks in the store: the newest ones, with the beginnings of their errors."""

from __future__ import annotations

from sqlalchemy import func, select

from queue_tool.model.failures import Failure
from queue_tool.model.states import Code, State
from queue_tool.store.engine.database import Database, moment
from queue_tool.store.tables import in_state, tasks

LONGEST_BEGINNING = 300
"""Characters that are read of an error."""


def newest_failed(database: Database, most: int) -> list[Failure]:
    """Return the newest failed tasks, in the reverse order of their submission.

    Raises:
        StoreAway: the database cannot be reached.
    """
    with database.read() as connection:
        rows = connection.execute(_NEWEST.limit(most)).all()
    return [
        Failure(
            token=row.token,
            task_type=row.task_type,
            code=Code(row.code),
            error=row.error or "",
            ended_at=moment(row.finished_at),
        )
        for row in rows
    ]


_NEWEST = (
    select(
        tasks.c.token,
        tasks.c.task_type,
        tasks.c.code,
        func.substr(tasks.c.error, 1, LONGEST_BEGINNING).label("error"),
        tasks.c.finished_at,
    )
    .where(in_state(State.FAILED))
    .order_by(tasks.c.id.desc())
)
