"""Upkeep of the outbox: it finds the webhooks of addresses that nobody registered, and removes what is old."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, exists, insert, or_, select, update

from queue_tool.model.webhook import OutboxState
from queue_tool.store.deliveries import IN_ORDER, IS_COMMITTED, NOTHING_WAITS, WAITING
from queue_tool.store.engine.database import Database, micros
from queue_tool.store.engine.lookup import Lookup
from queue_tool.store.tables import listening
from queue_tool.store.webhook_tables import deliveries, outbox, webhooks

MOST_NEW = 500
"""Rows of the outbox that one transaction assigns to their webhooks."""


class OutboxUpkeep:
    """The upkeep of the outbox."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database
        self._new = Lookup(database, _ANY_NEW)
        self._any = Lookup(database, _ANY)

    def assign(self, make_id: Callable[[], str], now: datetime) -> None:
        """Assign what waits for the addresses of tasks and batches to webhooks, which are made if needed.

        Args:
            make_id: returns the public id of a new webhook.
            now: the time.
        """
        if self._new.first() is None:
            return
        with self._database.write() as connection:
            connection.execute(_LOCK_LISTENING)  # so that two processes do not make the same webhook
            rows = connection.execute(_NEW).all()
            urls = list(dict.fromkeys(row.url for row in rows))
            known = {row.url: row.id for row in connection.execute(_OWN, {"urls": urls})} if urls else {}
            for url in urls:
                if url not in known:
                    values = {"public_id": make_id(), "url": url, "now": micros(now)}
                    known[url] = connection.execute(_ADD_OWN, values).scalar_one()
            for row in rows:
                connection.execute(_ASSIGN, {"row": row.id, "webhook": known[row.url]})

    def forget(self, now: datetime, delivered: timedelta, parked: timedelta, limit: int) -> int:
        """Remove what is old: up to `limit` rows of the outbox, as many tries, and idle addresses of tasks and batches.

        Args:
            now: the time.
            delivered: how long delivered ends are kept.
            parked: how long everything else is kept.
            limit: the most rows of a table to remove.

        Returns:
            How many rows were removed. The caller calls again if it is not 0.
        """
        if self._any.first() is None:
            return 0
        times = {"delivered": micros(now - delivered), "parked": micros(now - parked), "most": limit}
        with self._database.read() as connection:
            found = [connection.execute(old, times).scalars().all() for old in (_OLD_ROWS, _OLD_TRIES, _IDLE_OWN)]
        if any(found):
            with self._database.write() as connection:
                for table, ids in zip((outbox, deliveries, webhooks), found, strict=True):
                    if ids:
                        gone = delete(table).where(table.c.id.in_(ids))
                        connection.execute(gone.where(NOTHING_WAITS) if table is webhooks else gone)
        return sum(map(len, found))


_ANY = select(webhooks.c.id).limit(1)
_ANY_NEW = select(outbox.c.id).where(WAITING, outbox.c.webhook_id.is_(None)).limit(1)
_NEW = (
    select(outbox.c.id, outbox.c.url)
    .where(WAITING, outbox.c.webhook_id.is_(None), IS_COMMITTED)
    .order_by(*IN_ORDER)
    .limit(MOST_NEW)
)


_LOCK_LISTENING = select(listening.c.id).with_for_update()
_OWN = select(webhooks.c.id, webhooks.c.url).where(
    webhooks.c.own == 1, webhooks.c.url.in_(bindparam("urls", expanding=True))
)
_ADD_OWN = (
    insert(webhooks)
    .values(own=1, events="[]", created_at=bindparam("now"), tries=0, next_at=0)
    .returning(webhooks.c.id)
)
_ASSIGN = update(outbox).where(outbox.c.id == bindparam("row")).values(webhook_id=bindparam("webhook"))

_OLD_ROWS = (
    select(outbox.c.id)
    .where(
        outbox.c.at < bindparam("delivered"),
        or_(outbox.c.state == OutboxState.DELIVERED.value, outbox.c.at < bindparam("parked")),
    )
    .order_by(outbox.c.at)
    .limit(bindparam("most"))
)

_OLD_TRIES = (
    select(deliveries.c.id)
    .where(deliveries.c.at < bindparam("parked"))
    .order_by(deliveries.c.at)
    .limit(bindparam("most"))
)

_IDLE_OWN = (
    select(webhooks.c.id)
    .where(
        webhooks.c.own == 1,
        webhooks.c.created_at < bindparam("delivered"),
        webhooks.c.next_at < bindparam("delivered"),
        webhooks.c.leased_until.is_(None),
        ~exists().where(outbox.c.webhook_id == webhooks.c.id),
    )
    .limit(bindparam("most"))
)
"""Addresses of tasks and batches of which nothing is left in the outbox."""
