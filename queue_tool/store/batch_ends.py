"""When the tasks of a batch ended: all of them, or of a large batch an even sample.

There is no index of the times at which tasks end, because each one would make every end slower. A sample costs a few
milliseconds, and only while somebody looks.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from sqlalchemy import BigInteger, Connection, Text, bindparam, cast, func, select

from queue_tool.model.batch_ends import BatchEnds
from queue_tool.model.states import State
from queue_tool.store.engine.database import Database
from queue_tool.store.engine.rows import as_rows, json_each
from queue_tool.store.tables import batches, parts, tasks

MOST = 500
"""Tasks that are read of a batch."""

SECOND = 1_000_000
"""Microseconds."""


def ends_of(database: Database, batch: str) -> BatchEnds:
    """Return when tasks of a batch ended. Of a large batch, every n-th task is read.

    Raises:
        StoreAway: the database cannot be reached.
    """
    with database.read() as connection:
        row = connection.execute(_BATCH, {"batch": batch}).first()
        if row is None or row.first is None:
            return BatchEnds(looked_at=0, ends=())
        if row.accepted <= MOST:
            found = connection.execute(_ALL, {"id": row.id}).all()
        else:
            ranges = _ranges(connection, row.id) or [(row.first, row.last)]
            found = connection.execute(_NEAREST, {"id": row.id, **as_rows(spread(ranges, MOST))}).all()
    ended = [(State(each.state), each.finished_at) for each in found]
    return BatchEnds(
        looked_at=len(found), ends=[(state, at / SECOND) for state, at in ended if state.ended and at is not None]
    )


def spread(ranges: Sequence[tuple[int, int]], count: int) -> list[int]:
    """Return so many numbers, at equal distances over the ranges as if these followed each other.

    Args:
        ranges: first and last number of each range, in their order.
        count: how many numbers to return.
    """
    ends = list(accumulate(last - first + 1 for first, last in ranges))  # how many numbers are up to each range's last

    def number_at(place: int) -> int:
        found = bisect_right(ends, place)
        return ranges[found][1] + 1 - (ends[found] - place)

    return [number_at(place * ends[-1] // count) for place in range(count)]


def _ranges(connection: Connection, batch: int) -> list[tuple[int, int]]:
    """Return the rows that each request has added to a batch that is or was open: other rows may be between them."""
    rows = connection.execute(_PARTS, {"id": batch}).all()
    return [(row.after + 1, row.last) for row in rows if row.last > row.after]


_mine = tasks.c.batch_id == batches.c.id

_BATCH = select(
    batches.c.id,
    batches.c.accepted,
    select(func.min(tasks.c.id)).where(_mine).scalar_subquery().label("first"),
    select(func.max(tasks.c.id)).where(_mine).scalar_subquery().label("last"),
).where(batches.c.public_id == bindparam("batch"))

_PARTS = select(parts.c.after, parts.c.last).where(parts.c.batch_id == bindparam("id")).order_by(parts.c.start)

_ENDS = select(tasks.c.state, tasks.c.finished_at)

_ALL = _ENDS.where(tasks.c.batch_id == bindparam("id"))

_points = json_each(bindparam("rows", type_=Text)).table_valued("value", name="point")

_nearest = (
    select(tasks.c.id)
    .where(tasks.c.batch_id == bindparam("id"), tasks.c.id >= cast(cast(_points.c.value, Text), BigInteger))
    .order_by(tasks.c.id)
    .limit(1)
    .correlate(_points)
    .scalar_subquery()
)

_NEAREST = _ENDS.where(tasks.c.id.in_(select(_nearest).select_from(_points)))
"""The task at each point, or the next one of the batch. Each of them is found in the index of batches."""
