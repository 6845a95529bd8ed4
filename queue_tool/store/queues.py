"""Queues in the store: which are paused, and which tasks wait. A queue is a priority, and its lanes pause together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, select, update

from queue_tool.model.details import QueueCounts, Summary
from queue_tool.model.queues import Priority
from queue_tool.model.states import State
from queue_tool.store.engine.database import Database, micros, moment_or_none
from queue_tool.store.engine.lookup import Lookup, exists_query
from queue_tool.store.engine.rows import insert_new
from queue_tool.store.filtering import of_priority
from queue_tool.store.listing import SUMMARY, summary_fields, tags_of
from queue_tool.store.tables import in_state, queues, tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingPage:
    """A page of queued tasks, and the counts of the queues at the same moment."""

    items: Sequence[Summary]
    counts: Sequence[QueueCounts]  # of all queues, the most urgent first
    following: tuple[int, int] | None  # place and row with which the next page begins; None on the last page


class Queues:
    """The table of queues."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database
        self._any = Lookup(database, exists_query(queues.c.priority.is_not(None)))

    def pause(self, priority: Priority, now: datetime) -> None:
        """Pause a queue: workers start none of its tasks. A queue that is already paused does not change."""
        with self._database.write() as connection:
            insert_new(connection, queues, [{"priority": priority.value}])
            connection.execute(
                update(queues)
                .where(queues.c.priority == priority.value, queues.c.paused_at.is_(None))
                .values(paused_at=micros(now))
            )

    def resume(self, priority: Priority, now: datetime) -> None:
        """Resume a queue: workers start its tasks again."""
        with self._database.write() as connection:
            connection.execute(
                update(queues)
                .where(queues.c.priority == priority.value, queues.c.paused_at.is_not(None))
                .values(paused_at=None, resumed_at=micros(now))
            )

    def paused(self) -> frozenset[Priority]:
        """Return the paused queues."""
        with self._database.read() as connection:
            return frozenset(Priority(name) for name in connection.execute(PAUSED).scalars())

    def resumed(self) -> Mapping[Priority, datetime | None]:
        """Return when each queue was last resumed. Queues that are paused or were never paused are left out."""
        if self._any.first() is None:
            return {}
        with self._database.read() as connection:
            rows = connection.execute(select(queues).where(queues.c.paused_at.is_(None))).all()
        return {Priority(row.priority): moment_or_none(row.resumed_at) for row in rows}

    def oldest(self) -> datetime | None:
        """Return when the oldest waiting task was created; None if none waits. Paused queues are left out."""
        with self._database.read() as connection:
            paused = {*connection.execute(PAUSED).scalars()}
            found = [connection.execute(_OLDEST[each]).scalar() for each in Priority if each.value not in paused]
        return moment_or_none(min((created for created in found if created is not None), default=None))

    def counts(self) -> list[QueueCounts]:
        """Return the counts of each queue, the most urgent queue first."""
        with self._database.read() as connection:
            return _counts(connection)

    def waiting(self, wanted: Sequence[Priority], limit: int, place: int = 0, after: int = 0) -> WaitingPage:
        """Return a page of the tasks that wait in some queues, the oldest task of each queue first.

        Args:
            wanted: the queues, the most urgent first.
            limit: the most tasks in the page, at least 1.
            place: index in `wanted` of the queue in which the page begins.
            after: the row of that queue after which the page begins; 0 for its first row.
        """
        found: list[Any] = []
        with self._database.read() as connection:
            counts = _counts(connection)
            waiting = {each.priority: each.waiting for each in counts}
            following: tuple[int, int] | None = None
            for here, priority in enumerate(wanted[place:], start=place):
                room = limit - len(found)
                if room == 0:  # the page ends exactly with a queue
                    following = (here, 0) if any(waiting[later] for later in wanted[here:]) else None
                    break
                beyond = after if here == place else 0
                rows = connection.execute(_WAITING[priority], {"after": beyond, "most": room + 1}).all()
                found += rows[:room]
                if len(rows) > room:
                    following = here, rows[room - 1].id
                    break
            tagged = tags_of(connection, [row.id for row in found])
        return WaitingPage(
            items=tuple(Summary(**summary_fields(row, tagged)) for row in found), counts=counts, following=following
        )


def _counts(connection: Connection) -> list[QueueCounts]:
    paused = {row.priority: row.paused_at for row in connection.execute(select(queues))}
    running = {row.priority: row.number for row in connection.execute(_RUNNING)}
    waiting = {each: connection.execute(_COUNTS[each]).scalar_one() for each in Priority}
    waiting[Priority.NORMAL] -= sum(waiting[each] for each in Priority if each is not Priority.NORMAL)
    return [
        QueueCounts(
            priority=each,
            waiting=waiting[each],
            oldest=moment_or_none(connection.execute(_OLDEST[each]).scalar()) if waiting[each] else None,
            running=running.get(each.value, 0),
            paused_at=moment_or_none(paused.get(each.value)),
        )
        for each in Priority
    ]


def in_queue(priority: Priority) -> ColumnElement[bool]:
    """Return the condition that a task waits in a queue."""
    return in_state(State.QUEUED) & of_priority(priority)


_WAITING = {
    each: SUMMARY.where(in_queue(each), tasks.c.id > bindparam("after")).order_by(tasks.c.id).limit(bindparam("most"))
    for each in Priority
}

_OLDEST = {each: select(tasks.c.created_at).where(in_queue(each)).order_by(tasks.c.id).limit(1) for each in Priority}

# The normal priority has no index: all queued tasks are counted, and the other priorities are subtracted.
_COUNTS = {
    each: select(func.count()).where(in_state(State.QUEUED) if each is Priority.NORMAL else in_queue(each))
    for each in Priority
}

_RUNNING = (
    select(tasks.c.priority, func.count().label("number")).where(in_state(State.RUNNING)).group_by(tasks.c.priority)
)

PAUSED = select(queues.c.priority).where(queues.c.paused_at.is_not(None))
