"""Deliveries in the store: what waits in the outbox becomes messages, and each try to deliver one is recorded.

A process takes a webhook by a lease, so that one message at a time goes to it, in the order of the ends. A message
keeps its id and its ends until it was delivered or given up, whichever process sends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)

from queue_tool.errors import DeliveryNotFound
from queue_tool.model import json_text
from queue_tool.model.delivery import Due, Leased, Try
from queue_tool.model.webhook import (
    GIVEN_UP_WITH,
    LEASE,
    MOST_ENDS,
    MOST_ROWS,
    End,
    OutboxState,
    TryResult,
)
from queue_tool.store.engine.clock import database_now
from queue_tool.store.engine.database import Database, micros, moment
from queue_tool.store.engine.lookup import Lookup
from queue_tool.store.engine.transactions import is_overtaken
from queue_tool.store.tables import workers
from queue_tool.store.tries import record_try, try_of
from queue_tool.store.webhook_tables import deliveries, outbox, webhooks
from queue_tool.store.webhooks import addressed, disable

_SECOND = 1_000_000  # microseconds


class Deliveries:
    """What webhooks must hear of, and what they have heard."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database
        self._waits = Lookup(database, _ANY_WAITING)

    def wait(self) -> bool:
        """Return whether anything waits for any webhook."""
        return self._waits.first() is not None

    def due(self, now: datetime, limit: int) -> list[Due]:
        """Return webhooks for which something waits, whose pause is over, and to which no process sends now.

        Those whose turn came first are first.
        """
        with self._database.read() as connection:
            rows = connection.execute(_DUE, {"now": micros(now), "most": limit}).all()
        return [Due(row=row.id, fails=row.tries > 0) for row in rows]

    def lease(self, row: int, owner: int, message: str, now: datetime) -> Leased | None:
        """Take a webhook by a lease. Return the next message to it; None if there is none, or it cannot be taken.

        Args:
            row: the webhook.
            owner: the process.
            message: the id of the message, if it is a new one.
            now: the time.
        """
        with self._database.write() as connection:
            taken = connection.execute(_TAKE, {"row": row, "process": owner, "now": micros(now)}).first()
            if taken is None:
                return None
            found = _next_rows(connection, row)
            if not found:
                connection.execute(_GIVE_BACK, {"row": row})
                return None
            if found[0].message is None:
                connection.execute(_NAME, {"ids": [each.id for each in found], "new": message})
        ends = [End(*end) for each in found for end in json_text.loads(each.ends)]  # type: ignore[attr-defined] # ours
        return Leased(
            id=found[0].message or message,
            to=addressed(taken, micros(now)),
            ends=ends,
            at=[moment(each.at) for each in found for _ in range(each.count)],
            tries=taken.tries,
            is_full=len(ends) >= MOST_ENDS or len(found) >= MOST_ROWS,
            lease=(taken.owner, taken.leased_until),
        )

    def delivered(self, leased: Leased, done: Try, pause: float) -> None:
        """Record that a message was delivered. The next one is sent after a pause in seconds."""
        with self._database.write() as connection:
            self._release(connection, leased, tries=0, pause=pause, now=done.at)
            connection.execute(_SET_STATE, {"of_message": leased.id, "of": leased.to.row, "new": _DELIVERED})
            record_try(connection, leased.to.row, done)

    def failed(self, leased: Leased, done: Try, pause: float | None) -> None:
        """Record that a message was not delivered.

        Args:
            leased: the message.
            done: what came of the try.
            pause: seconds until the next try; None: the message is given up, with all that waits as long.
        """
        with self._database.write() as connection:
            tries = 0 if pause is None else done.number
            if self._release(connection, leased, tries=tries, pause=pause or 0.0, now=done.at):
                if done.outcome is TryResult.DISABLED:
                    disable(connection, leased.to.row, "the receiver answered 410", micros(done.at))
                elif pause is None:
                    connection.execute(_SET_STATE, {"of_message": leased.id, "of": leased.to.row, "new": _PARKED})
                    old = {"of": leased.to.row, "before": micros(done.at - GIVEN_UP_WITH)}
                    connection.execute(_PARK_OLD, old)
            record_try(connection, leased.to.row, done)

    def tested(self, row: int, done: Try) -> None:
        """Record what came of a test."""
        with self._database.write() as connection:
            record_try(connection, row, done)

    def redeliver(self, row: int, message: str | None, since: datetime | None) -> int:
        """Let what was delivered or given up wait again. Return how many ends wait again.

        Args:
            row: the webhook.
            message: only this message.
            since: only ends since this time.

        Raises:
            DeliveryNotFound: the webhook has no such message.
        """
        again = update(outbox).where(outbox.c.webhook_id == row).values(state=OutboxState.WAITING.value)
        if message is not None:
            again = again.where(outbox.c.message == message)
        if since is not None:
            again = again.where(outbox.c.at >= micros(since), outbox.c.state != OutboxState.WAITING.value)
        with self._database.write() as connection:
            connection.execute(_AT_ONCE, {"row": row})  # locks the webhook before its rows, as `lease` does
            counts = connection.execute(again.returning(outbox.c.count)).scalars().all()
            if message is not None and not counts:
                raise DeliveryNotFound
        return sum(counts)

    def row_of(self, public_id: str) -> int | None:
        """Return the row of a webhook, or None."""
        with self._database.read() as connection:
            found: int | None = connection.execute(
                select(webhooks.c.id).where(webhooks.c.public_id == public_id)
            ).scalar()
        return found

    def page(self, row: int, limit: int, before: int | None) -> tuple[list[Try], int | None]:
        """Return tries of a webhook, newest first, and the row before which the next page begins."""
        page = select(deliveries).where(deliveries.c.webhook_id == row).order_by(deliveries.c.id.desc())
        page = page.limit(limit + 1)
        with self._database.read() as connection:
            rows = connection.execute(page if before is None else page.where(deliveries.c.id < before)).all()
        return [try_of(each) for each in rows[:limit]], rows[limit - 1].id if len(rows) > limit else None

    def count(self, row: int) -> int:
        """Return how many tries of a webhook are kept."""
        number = select(func.count()).select_from(deliveries).where(deliveries.c.webhook_id == row)
        with self._database.read() as connection:
            return connection.execute(number).scalar_one()

    def _release(self, connection: Connection, leased: Leased, *, tries: int, pause: float, now: datetime) -> bool:
        """Give a lease up. Return whether this process still had it."""
        owner, until = leased.lease
        values = {"row": leased.to.row, "process": owner, "until": until, "failed": tries}
        values |= {"now": micros(now), "pause": int(pause * _SECOND)}
        return connection.execute(_RELEASE, values).rowcount > 0


def _next_rows(connection: Connection, row: int) -> Sequence[Any]:
    """Return the rows of the next message: those of one that was begun, or as many others as fit into one."""
    found = connection.execute(_WAITING_ROWS, {"of": row, "most": MOST_ROWS}).all()
    if found and found[0].message is not None:
        return connection.execute(_OF_MESSAGE, {"of": row, "message": found[0].message}).all()
    taken: list[Any] = []
    for each in found:
        if each.message is not None or sum(row.count for row in taken) >= MOST_ENDS:
            break
        taken.append(each)
    return taken


_DELIVERED, _PARKED = OutboxState.DELIVERED.value, OutboxState.PARKED.value

WAITING = outbox.c.state == literal_column("'waiting'")  # written as in its index
_NOW = database_now(bindparam("now", type_=BigInteger))
_ROW = webhooks.c.id == bindparam("row")
IS_COMMITTED = is_overtaken(outbox.c.sequence)
IN_ORDER = (outbox.c.sequence, outbox.c.id)

_ANY_WAITING = select(outbox.c.id).where(WAITING).limit(1)
NOTHING_WAITS = ~exists().where(outbox.c.webhook_id == webhooks.c.id, WAITING)

_IS_FREE = or_(
    webhooks.c.leased_until.is_(None),
    webhooks.c.leased_until <= _NOW,
    ~exists().where(workers.c.id == webhooks.c.owner, workers.c.gone_at.is_(None)),
)
"""No process has the lease, or it is over, or its process is gone."""

_MAY_SEND = (webhooks.c.disabled_at.is_(None), webhooks.c.next_at <= _NOW, _IS_FREE)

_DUE = (
    select(webhooks.c.id, webhooks.c.tries)
    .where(*_MAY_SEND, ~NOTHING_WAITS)
    .order_by(webhooks.c.next_at, webhooks.c.id)
    .limit(bindparam("most"))
)

_TAKE = (
    update(webhooks)
    .where(_ROW, *_MAY_SEND)
    .values(owner=bindparam("process"), leased_until=_NOW + int(LEASE * _SECOND))
    .returning(webhooks)
)

_GIVE_BACK = update(webhooks).where(_ROW).values(owner=None, leased_until=None)

_RELEASE = (
    update(webhooks)
    .where(_ROW, webhooks.c.owner == bindparam("process"), webhooks.c.leased_until == bindparam("until"))
    .values(
        owner=None,
        leased_until=None,
        tries=bindparam("failed"),
        next_at=_NOW + bindparam("pause", type_=BigInteger),
    )
)

_AT_ONCE = update(webhooks).where(_ROW).values(tries=0, next_at=0)

_OF = outbox.c.webhook_id == bindparam("of")

_WAITING_ROWS = (
    select(outbox).where(_OF, WAITING, IS_COMMITTED).order_by(outbox.c.webhook_id, *IN_ORDER).limit(bindparam("most"))
)

_OF_MESSAGE = (
    select(outbox)
    .where(_OF, WAITING, outbox.c.message == bindparam("message"))
    .order_by(outbox.c.webhook_id, *IN_ORDER)
)

_NAME = update(outbox).where(outbox.c.id.in_(bindparam("ids", expanding=True))).values(message=bindparam("new"))

_SET_STATE = (
    update(outbox).where(_OF, WAITING, outbox.c.message == bindparam("of_message")).values(state=bindparam("new"))
)

_PARK_OLD = update(outbox).where(_OF, WAITING, outbox.c.at < bindparam("before")).values(state=OutboxState.PARKED.value)
