"""Message queues in the store: what they hold. A queue exists while it has messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, select, union_all

from queue_tool.model.message import MessageCounts, MessagePage
from queue_tool.store.engine.database import Database, micros, moment, moment_or_none
from queue_tool.store.engine.lookup import Lookup, exists_query
from queue_tool.store.message_tables import messages
from queue_tool.store.messages import IN_QUEUE, IS_OVER, LEASED, ONE, WAITING, number_of

LONGEST_PAGE = 4 * 2**20
"""Characters of messages after which a page ends."""

READ_AT_ONCE = 16
"""Messages in memory at the same time while a page is read."""


class MessageQueues:
    """Reads the message queues."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database
        self._counts = Lookup(database, _COUNTS)
        self._next_end = Lookup(database, _NEXT_END)
        self._ready = Lookup(database, _READY)

    def counts(self, queue: str, now: datetime) -> MessageCounts:
        """Return how many messages a queue has. An unknown queue has none."""
        row = self._counts.first(queue=queue, now=micros(now))
        return MessageCounts(queue=queue, waiting=row.waiting, leased=row.leased, oldest=moment_or_none(row.oldest))

    def all_counts(self, now: datetime) -> list[MessageCounts]:
        """Return the counts of every queue that has messages, by name."""
        with self._database.read() as connection:
            waiting = {row.queue: row for row in connection.execute(_WAITING_BY_QUEUE)}
            leased = {row.queue: row for row in connection.execute(_LEASED_BY_QUEUE, {"now": micros(now)})}
            oldest = select(messages.c.queue, messages.c.created_at).where(
                messages.c.id.in_([row.oldest for row in waiting.values()])
            )
            since = {row.queue: moment(row.created_at) for row in connection.execute(oldest)}
        found = []
        for queue in sorted(waiting.keys() | leased.keys()):
            overdue = leased[queue].overdue if queue in leased else 0
            found.append(
                MessageCounts(
                    queue=queue,
                    waiting=overdue + (waiting[queue].number if queue in waiting else 0),
                    leased=leased[queue].number - overdue if queue in leased else 0,
                    oldest=since.get(queue),
                )
            )
        return found

    def page(self, queue: str, after: int, limit: int, now: datetime) -> MessagePage:
        """Return the next messages that wait in a queue, oldest first. They stay there.

        Args:
            queue: the name of the queue.
            after: the row after which the page begins; 0 for the first page.
            limit: the maximum number of messages. Long messages end the page earlier.
            now: the present time.
        """
        bodies: list[str] = []
        size, last = 0, 0
        parameters = {"queue": queue, "after": after, "most": limit + 1, "now": micros(now)}
        options = {"yield_per": READ_AT_ONCE}
        with (
            self._database.read() as connection,
            connection.execute(_PAGE, parameters, execution_options=options) as rows,
        ):
            for row in rows:
                if len(bodies) == limit or (bodies and size + len(row.body) > LONGEST_PAGE):
                    return MessagePage(bodies=bodies, last=last)
                bodies.append(row.body)
                size, last = size + len(row.body), row.id
        return MessagePage(bodies=bodies, last=None)

    def ready(self, queues: Sequence[str]) -> set[str]:
        """Return those of the queues in which a message waits. Leases that have run out do not count."""
        return {queue for queue in queues if self._ready.first(queue=queue) is not None}

    def next_end(self, queue: str) -> datetime | None:
        """Return when the next lease of a queue runs out; None if no message is leased."""
        row = self._next_end.first(queue=queue)
        return None if row is None else moment(row.leased_until)


_COUNTS = select(
    (number_of(IN_QUEUE, WAITING) + number_of(IN_QUEUE, IS_OVER)).label("waiting"),
    number_of(IN_QUEUE, LEASED, messages.c.leased_until > bindparam("now")).label("leased"),
    select(messages.c.created_at)
    .where(IN_QUEUE, WAITING)
    .order_by(messages.c.id)
    .limit(ONE)
    .scalar_subquery()
    .label("oldest"),
)

_WAITING_BY_QUEUE = (
    select(messages.c.queue, func.count().label("number"), func.min(messages.c.id).label("oldest"))
    .where(WAITING)
    .group_by(messages.c.queue)
)

_LEASED_BY_QUEUE = (
    select(messages.c.queue, func.count().label("number"), func.count().filter(IS_OVER).label("overdue"))
    .where(LEASED)
    .group_by(messages.c.queue)
)


def _next(*conditions: ColumnElement[bool]) -> Select[Any]:
    """Return a SELECT of the next messages of a page that satisfy a condition."""
    after = messages.c.id > bindparam("after")
    rows = select(messages.c.id, messages.c.body).where(IN_QUEUE, after, *conditions)
    return select(rows.order_by(messages.c.id).limit(bindparam("most")).subquery())


_EITHER = union_all(_next(WAITING), _next(IS_OVER)).subquery()

_PAGE = select(_EITHER).order_by(_EITHER.c.id).limit(bindparam("most"))

_READY = exists_query(IN_QUEUE & WAITING)

_NEXT_END = select(messages.c.leased_until).where(IN_QUEUE, LEASED).order_by(messages.c.leased_until).limit(ONE)
