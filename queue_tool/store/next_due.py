"""The next time at which a sweeper has something to do. It is for tests, which move the time there."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, bindparam, func, select, union_all

from queue_tool.model.states import State
from queue_tool.store.engine.database import Database, micros, moment_or_none
from queue_tool.store.schedule_tables import schedules
from queue_tool.store.tables import in_state, tasks


def next_due(database: Database, after: datetime) -> datetime | None:
    """Return the first time after `after` at which a task comes due or expires, or a schedule is due. None: never.

    Raises:
        StoreAway: the database is busy or away.
    """
    with database.read() as connection:
        found = connection.execute(_NEXT, {"after": micros(after)}).scalar()
    return moment_or_none(found)


_AFTER = bindparam("after", type_=BigInteger)

_TIMES = union_all(
    select(func.min(tasks.c.due_at).label("at")).where(in_state(State.SCHEDULED), tasks.c.due_at > _AFTER),
    select(func.min(tasks.c.expires_at)).where(
        in_state(State.QUEUED, State.SCHEDULED), tasks.c.expires_at > _AFTER, tasks.c.run == 1
    ),
    select(func.min(schedules.c.next_at)).where(schedules.c.next_at > _AFTER),
).subquery()

_NEXT = select(func.min(_TIMES.c.at))
