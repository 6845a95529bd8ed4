"""Measures in the store: what all processes have counted, for each minute and for all time.

The sums of all time have rows of their own, to which each process adds in the same transaction. So a scrape reads as
many rows as there are sums, and old minutes can be deleted while no sum ever falls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, and_, bindparam, delete, func, literal_column, select

from queue_tool.model.metrics import Level, Measure, Point
from queue_tool.model.states import State
from queue_tool.store.engine.database import Database, micros
from queue_tool.store.engine.rows import insert_if_new, insert_new, insert_or_add
from queue_tool.store.measure_tables import measures
from queue_tool.store.tables import batches, in_state, tasks

ALL_TIME = 0
"""The minute of the sums of all time."""

MINUTE = 60
"""Seconds."""

MOST = 1_000_000
"""Entries of an index that one count reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateCounts:
    """How many tasks are in the states that no queue has, and how many batches are open. Each stops at `MOST`."""

    scheduled: int
    failed: int
    open_batches: int


class Measures:
    """The table of measures, and what is counted for it in other tables."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database

    def add(self, added: Sequence[Measure], now: datetime) -> None:
        """Add to the sums of this minute and of all time. A power failure may undo it.

        Raises:
            StoreAway: the database is busy or away; nothing was added, unless the error is `CommitUnknown`.
        """
        with self._database.write(durable=False) as connection:
            add_measures(connection, added, now)

    def totals(self) -> list[Measure]:
        """Return the sums of all time."""
        return [point.measure for point in self._points(ALL_TIME, ALL_TIME + 1, 1, ())]

    def between(self, start: datetime, end: datetime, step: int, names: Sequence[str] = ()) -> list[Point]:
        """Return the sums of each step of time, in the order of time.

        Args:
            start: the first minute.
            end: the minute before which the last step ends.
            step: minutes.
            names: the metrics; empty: all.
        """
        return self._points(max(minute_of(start), ALL_TIME + 1), minute_of(end), step, names)

    def buckets(self, metric: str, labels: str, start: datetime, end: datetime) -> Mapping[str, float]:
        """Return the sums of one histogram with these labels in a time, by bucket. It reads only rows of this one.

        Args:
            metric: the name of the histogram.
            labels: JSON text of an object, as the rows have it.
            start: the first minute.
            end: the minute before which the time ends.
        """
        sent = {"metric": metric, "labels": labels, "first": minute_of(start), "end": minute_of(end)}
        with self._database.read() as connection:
            return {row.bucket: row.value for row in connection.execute(_BUCKETS, sent)}

    def keep_levels(self, levels: Sequence[Measure], now: datetime) -> bool:
        """Keep the values of gauges in this minute. Return False if another process has done it.

        A power failure may undo it.

        Args:
            levels: the values. The first one marks the minute as measured.
            now: the time.

        Raises:
            StoreAway: the database is busy or away.
        """
        mark, *others = (row_of(minute_of(now), level) for level in levels)
        with self._database.write(durable=False) as connection:
            is_first = insert_if_new(connection, measures, mark)
            if is_first:
                insert_new(connection, measures, others)
        return is_first

    def levels(self, start: datetime, end: datetime, step: int, names: Sequence[str]) -> list[Level]:
        """Return the values of gauges in each step of time, in the order of time.

        Args:
            start: the first minute.
            end: the minute before which the last step ends.
            step: minutes.
            names: the metrics.
        """
        query = _LEVELS.where(measures.c.metric.in_(names))
        sent = {"step": step, "first": max(minute_of(start), ALL_TIME + 1), "end": minute_of(end)}
        with self._database.read() as connection:
            return [Level(**{**row._mapping, "at": row.at * MINUTE}) for row in connection.execute(query, sent)]

    def _points(self, first: int, end: int, step: int, names: Sequence[str]) -> list[Point]:
        begins = measures.c.minute - measures.c.minute % bindparam("step", step)
        key = (measures.c.metric, measures.c.labels, measures.c.bucket)
        query = (
            select(begins.label("begins"), *key, func.sum(measures.c.value).label("value"))
            .where(measures.c.minute >= first, measures.c.minute < end)
            .group_by("begins", *key)
            .order_by("begins", *key)
        )
        if names:
            query = query.where(measures.c.metric.in_(names))
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [
            Point(
                at=row.begins * MINUTE,
                measure=Measure(metric=row.metric, labels=row.labels, bucket=row.bucket, value=row.value),
            )
            for row in rows
        ]

    def forget(self, before: datetime, most: int) -> bool:
        """Delete the oldest minutes before a time, at most so many. Return whether more are left.

        The sums of all time stay.
        """
        until = minute_of(before)
        with self._database.read() as connection:
            oldest: int | None = connection.execute(_OLDEST).scalar()
        if oldest is None or oldest >= until:
            return False
        end = min(until, oldest + most)
        with self._database.write(durable=False) as connection:
            connection.execute(delete(measures).where(measures.c.minute >= oldest, measures.c.minute < end))
        return end < until

    def counts(self) -> StateCounts:
        """Return the counts of the moment, each up to `MOST`."""
        with self._database.read() as connection:
            return StateCounts(**connection.execute(_COUNTS).one()._mapping)

    def durations(self, most: int) -> list[float]:
        """Return the seconds of the last run of the newest tasks that finished or failed, at most so many of each."""
        with self._database.read() as connection:
            rows = [row for state in _NEWEST for row in connection.execute(_NEWEST[state], {"most": most}).all()]
        newest = sorted(rows, key=lambda row: -row.id)[:most]
        return [(row.finished_at - row.started_at) / 1_000_000 for row in newest]


def add_measures(connection: Connection, added: Sequence[Measure], now: datetime) -> None:
    """Add to the sums of this minute and of all time.

    Args:
        connection: the connection of a transaction that writes.
        added: in the order of metric, labels and bucket.
        now: the time.
    """
    rows = [row_of(minute, measure) for minute in (ALL_TIME, minute_of(now)) for measure in added]
    insert_or_add(connection, measures, rows, "value")


def minute_of(time: datetime) -> int:
    """Return the minute of a time, as the rows have it."""
    return micros(time) // (MINUTE * 1_000_000)


def row_of(minute: int, measure: Measure) -> dict[str, Any]:
    """Return the row of a measure in a minute."""
    return {
        "minute": minute,
        "metric": measure.metric,
        "labels": measure.labels,
        "bucket": measure.bucket,
        "value": measure.value,
    }


_BEGINS = measures.c.minute - measures.c.minute % bindparam("step", type_=BigInteger)

_LEVELS = (
    select(
        _BEGINS.label("at"),
        measures.c.metric,
        measures.c.labels,
        func.sum(measures.c.value).label("total"),
        func.max(measures.c.value).label("peak"),
        func.count().label("minutes"),
    )
    .where(
        measures.c.minute >= bindparam("first", type_=BigInteger),
        measures.c.minute < bindparam("end", type_=BigInteger),
    )
    .group_by("at", measures.c.metric, measures.c.labels)
    .order_by("at", measures.c.metric, measures.c.labels)
)

_FIRST = select(bindparam("first", type_=BigInteger).label("minute")).cte("minutes", recursive=True)

_MINUTES = _FIRST.union_all(select(_FIRST.c.minute + 1).where(_FIRST.c.minute + 1 < bindparam("end", type_=BigInteger)))

# One search in the primary key for each minute: a range of minutes would read the rows of all metrics.
_BUCKETS = (
    select(measures.c.bucket, func.sum(measures.c.value).label("value"))
    .join_from(
        _MINUTES,
        measures,
        and_(
            measures.c.minute == _MINUTES.c.minute,
            measures.c.metric == bindparam("metric"),
            measures.c.labels == bindparam("labels"),
        ),
    )
    .group_by(measures.c.bucket)
)

_OLDEST = select(func.min(measures.c.minute)).where(measures.c.minute > ALL_TIME)

_COUNTS = select(
    *(
        select(func.count())
        .select_from(select(column).where(condition).limit(literal_column(str(MOST))).subquery())
        .scalar_subquery()
        .label(name)
        for name, column, condition in (
            ("scheduled", tasks.c.id, in_state(State.SCHEDULED)),
            ("failed", tasks.c.id, in_state(State.FAILED)),
            ("open_batches", batches.c.filled_at, batches.c.filled_at.is_not(None)),
        )
    )
)

_NEWEST = {
    state: select(tasks.c.id, tasks.c.started_at, tasks.c.finished_at)
    .where(in_state(state), tasks.c.started_at.is_not(None), tasks.c.finished_at >= tasks.c.started_at)
    .order_by(tasks.c.id.desc())
    .limit(bindparam("most"))
    for state in (State.FINISHED, State.FAILED)
}
