"""Messages of the message queues in the store.

A message waits while `leased_until` is empty. A message whose lease has run out keeps its receipt until it is taken
again, so that a late client can still acknowledge it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    ScalarSelect,
    Select,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)

from queue_tool.model.message import EndLease, Pop, Popped, Push
from queue_tool.store.engine.database import Database, micros
from queue_tool.store.message_tables import messages
from queue_tool.store.row_count import RowCount

MOST_RETURNED = 1000
"""Leases that one transaction ends because their time is over."""


class Messages:
    """The table of messages."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database
        self._rows = RowCount(messages.c.id, _NUMBER)

    def carry_out(
        self, endings: Sequence[EndLease], pushes: Sequence[Push], pops: Sequence[Pop], now: datetime, most: int
    ) -> tuple[list[bool], list[bool], list[Popped | None]]:
        """End leases, then add messages, then take messages, all in one transaction.

        Two transactions never take the same message: SQLite allows one at a time, and on PostgreSQL the second one
        skips rows that the first one has locked.

        Args:
            endings: which leases to end. Each receipt occurs once.
            pushes: the new messages, in their order.
            pops: who wants a message, in their order.
            now: the present time.
            most: the most messages that all queues together may hold.

        Returns:
            For each ending whether the message was there, for each push whether there was room, and for each pop its
            message, or None if the queue was empty.

        Raises:
            StoreAway: the database is busy or away, and nothing was changed.
        """
        with self._database.write() as connection:
            ended = _end_leases(connection, endings) if endings else set()
            room = self._rows.room_for(connection, len(pushes), most) if pushes else 0
            if room:
                connection.execute(_ADD, [_row(push, now) for push in pushes[:room]])
            popped = _pop(connection, pops, now)
        return (
            [ending.receipt in ended for ending in endings],
            [number < room for number in range(len(pushes))],
            popped,
        )

    def last_row(self) -> int:
        """Return the newest row of all queues; 0 if there is none."""
        with self._database.read() as connection:
            return connection.execute(select(func.max(messages.c.id))).scalar_one() or 0

    def purge(self, queue: str, last: int, limit: int) -> int:
        """Remove up to `limit` messages of a queue, leased ones too, up to the row `last`; return how many."""
        parameters = {"queue": queue, "last": last, "most": limit}
        with self._database.write() as connection:
            found = [*connection.execute(_PURGED_WAITING, parameters).scalars()]
            found += connection.execute(_PURGED_LEASED, parameters | {"most": limit - len(found)}).scalars()
            _remove(connection, found)
        return len(found)


def _row(push: Push, now: datetime) -> dict[str, object]:
    return {"queue": push.queue, "body": push.body, "created_at": micros(now), "deliveries": 0}


def _end_leases(connection: Connection, endings: Sequence[EndLease]) -> set[str]:
    """End leases; return the receipts of the messages that were there."""
    removes = {ending.receipt: ending.remove for ending in endings}
    found = connection.execute(_WITH_RECEIPTS, {"receipts": list(removes)}).all()
    processed = [row.id for row in found if removes[row.receipt]]
    returned = [row.id for row in found if not removes[row.receipt]]
    _remove(connection, processed)
    if returned:
        connection.execute(_GIVE_BACK, {"ids": returned})
    return {row.receipt for row in found}


def _pop(connection: Connection, pops: Sequence[Pop], now: datetime) -> list[Popped | None]:
    """Take the oldest messages of each queue and give them out in the order of the requests."""
    by_queue: defaultdict[str, list[int]] = defaultdict(list)
    for number, pop in enumerate(pops):
        by_queue[pop.queue].append(number)
    popped: list[Popped | None] = [None] * len(pops)
    for queue in sorted(by_queue):
        numbers = by_queue[queue]
        _return_overdue(connection, queue, now)
        oldest = connection.execute(_OLDEST, {"queue": queue, "most": len(numbers)}).all()
        given = [(pops[number], row) for number, row in zip(numbers, oldest, strict=False)]
        _remove(connection, [row.id for pop, row in given if pop.lease is None])
        leases = [
            {"row": row.id, "until": micros(_end(pop, now)), "name": pop.receipt}
            for pop, row in given
            if pop.lease is not None
        ]
        if leases:
            connection.execute(_LEASE, leases)
        for number, (pop, row) in zip(numbers, given, strict=False):
            popped[number] = _popped(pop, row, now)
    return popped


def _popped(pop: Pop, row: Any, now: datetime) -> Popped:
    deliveries = row.deliveries + 1
    if pop.lease is None:
        return Popped(body=row.body, deliveries=deliveries)
    return Popped(body=row.body, deliveries=deliveries, receipt=pop.receipt, leased_until=_end(pop, now))


def _end(pop: Pop, now: datetime) -> datetime:
    return now + timedelta(seconds=pop.lease or 0)


def _remove(connection: Connection, rows: Sequence[int]) -> None:
    if rows:
        connection.execute(_REMOVE, {"ids": rows})


def _return_overdue(connection: Connection, queue: str, now: datetime) -> None:
    """Give back the messages of a queue whose lease has run out. They keep their place."""
    parameters = {"queue": queue, "now": micros(now), "most": MOST_RETURNED}
    overdue = connection.execute(_OVERDUE, parameters).scalars().all()
    if overdue:
        connection.execute(_RETURN, {"ids": overdue})


_ADD = insert(messages)

ONE: ColumnElement[int] = literal_column("1")

WAITING = messages.c.leased_until.is_(None)
LEASED = messages.c.leased_until.is_not(None)
"""The conditions of the indexes, written exactly as there."""

IN_QUEUE = messages.c.queue == bindparam("queue")

IS_OVER = LEASED & (messages.c.leased_until <= bindparam("now"))
"""The lease has run out, and the message waits again."""

_OLDEST = (
    select(messages.c.id, messages.c.body, messages.c.deliveries)
    .where(IN_QUEUE, WAITING)
    .order_by(messages.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)

_OVERDUE = (
    select(messages.c.id)
    .where(IN_QUEUE, IS_OVER)
    .order_by(messages.c.leased_until)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)

_WITH_RECEIPTS = (
    select(messages.c.id, messages.c.receipt)
    .where(messages.c.receipt.in_(bindparam("receipts", expanding=True)))
    .order_by(messages.c.id)
    .with_for_update()
)

_BY_ID = messages.c.id.in_(bindparam("ids", expanding=True))
_REMOVE = delete(messages).where(_BY_ID)
_RETURN = update(messages).where(_BY_ID).values(leased_until=None)
_GIVE_BACK = update(messages).where(_BY_ID).values(leased_until=None, receipt=None)

_LEASE = (
    update(messages)
    .where(messages.c.id == bindparam("row"))
    .values(leased_until=bindparam("until"), receipt=bindparam("name"), deliveries=messages.c.deliveries + 1)
)


def number_of(*conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    """Return a SELECT of the number of messages that satisfy all conditions."""
    return select(func.count()).select_from(messages).where(*conditions).scalar_subquery()


_NUMBER = select(number_of(WAITING) + number_of(LEASED))
"""The number of all messages. Each part is read from an index, without the messages themselves."""


def _purged(condition: ColumnElement[bool]) -> Select[Any]:
    rows = select(messages.c.id).where(IN_QUEUE, condition, messages.c.id <= bindparam("last"))
    return rows.limit(bindparam("most")).with_for_update(skip_locked=True)


_PURGED_WAITING = _purged(WAITING)
_PURGED_LEASED = _purged(LEASED)
