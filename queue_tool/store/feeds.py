"""Feeds in the store: while a client of `GET /events` listens, each transaction writes the ends in it to its feeds.

One feed has all ends, and others have those of one batch. All processes read the same rows. A feed without clients is
removed after a while, and then nobody writes to it any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from queue_tool.model import json_text
from queue_tool.model.feed import KEPT_FOR, LISTENED_FOR, FeedRow, Place, Position
from queue_tool.model.webhook import MOST_ENDS, End
from queue_tool.store import listening
from queue_tool.store.engine.clock import database_now
from queue_tool.store.engine.database import Database, micros
from queue_tool.store.engine.lookup import Lookup, exists_query
from queue_tool.store.engine.rows import insert_if_new
from queue_tool.store.engine.transactions import first_unfinished, own_number
from queue_tool.store.webhook_tables import feed_ends, feeds

MOST_REMOVED = 1000
"""Rows that one transaction removes."""

MANY = 2000
"""Ends after which a read returns no further row."""

_SECOND = 1_000_000  # microseconds


class Feeds:
    """The feeds, for those who read them."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database
        self._next_number = Lookup(database, select(own_number().label("number")))
        self._begin = Lookup(database, _BEGIN)
        self._rows = Lookup(database, _ROWS)
        self._gone = Lookup(database, _GONE)
        self._any = Lookup(database, exists_query(feeds.c.id.is_not(None)))
        self._any_ends = Lookup(database, exists_query(feed_ends.c.id.is_not(None)))

    def open(self, batch: str | None, now: datetime) -> int:
        """Return the number of the feed with all ends, or with those of a batch. It is made if needed.

        Transactions that run at this moment may not know of it yet.
        """
        row = {"batch": batch or "", "until": 0, "gone_sequence": 0, "gone_row": 0}
        with self._database.write(durable=False) as connection:
            if insert_if_new(connection, feeds, row):
                listening.change(connection)
            found: int = connection.execute(_RENEW_ONE, {"of": batch or "", "now": micros(now)}).scalar_one()
        return found

    def next_number(self) -> int:
        """Return a number above those of all transactions that have begun."""
        number: int = self._next_number.first().number
        return number

    def begin(self, feed: int, number: int) -> Position | None:
        """Return the present end of a feed, from which a new client gets all that follows.

        Args:
            feed: the feed.
            number: what `next_number` returned after the feed was opened.

        Returns:
            None if a transaction with a lower number still runs: it may not know of the feed.
        """
        found = self._begin.first(feed=feed)
        if found.lowest < number:
            return None
        return Position(found.lowest - 1, max(found.newest or 0, found.gone_row or 0))

    def read(self, feed: int, after: Position, most: int) -> list[FeedRow] | None:
        """Return the next rows of a feed after a position; None if some of them have been removed.

        Args:
            feed: the feed.
            after: the position.
            most: the most rows to return. They are fewer if they have more than `MANY` ends.
        """
        rows = self._rows.all(feed=feed, sequence=after.sequence, row=after.row, most=most)
        if rows and not _is_kept(rows[0], after):
            return None
        return list(_few(rows))

    def keeps(self, place: Place) -> bool:
        """Return whether the feed still has all that follows a place."""
        found = self._gone.first(feed=place.feed)
        return found is not None and _is_kept(found, place.after)

    def renew(self, numbers: Sequence[int], now: datetime) -> set[int]:
        """Let feeds be written to for some time more. Return those that still exist."""
        with self._database.write(durable=False) as connection:
            return set(connection.execute(_RENEW, {"numbers": list(numbers), "now": micros(now)}).scalars())

    def forget(self, now: datetime) -> None:
        """Remove the feeds that nobody renewed, and ends that are too old."""
        if self._any.first() is None and self._any_ends.first() is None:
            return
        with self._database.write(durable=False) as connection:
            if connection.execute(_REMOVE, {"now": micros(now)}).scalars().all():
                listening.change(connection)
            left = connection.execute(select(feeds.c.id)).scalars().all()
        for feed in left:
            while self._forget_old(feed, now):
                pass
        with self._database.write(durable=False, unhurried=True) as connection:
            connection.execute(_REMOVE_LEFT_OVER, {"now": micros(now)})

    def _forget_old(self, feed: int, now: datetime) -> bool:
        """Remove the oldest ends of a feed, in their order. Return whether more may be left."""
        with self._database.write(durable=False, unhurried=True) as connection:
            oldest = connection.execute(_OLDEST, {"feed": feed, "now": micros(now), "most": MOST_REMOVED}).all()
            is_newer = (index for index, row in enumerate(oldest) if not row.is_old)
            old = oldest[: next(is_newer, len(oldest))]
            if old:
                values = {"of": feed, "to_sequence": old[-1].sequence, "to_row": old[-1].id}
                connection.execute(_NOTE_GONE, values)
                connection.execute(_REMOVE_OLD, values)
        return len(old) == MOST_REMOVED


def all_feeds(connection: Connection) -> dict[str, int]:
    """Return the number of each feed by its batch; that of the feed with all ends by the empty text."""
    return {row.batch: row.id for row in connection.execute(select(feeds.c.batch, feeds.c.id))}


def write_feeds(
    connection: Connection, wanted: Mapping[str, int], ended: Iterable[tuple[str | None, End]], now: int
) -> None:
    """Write the ends of a transaction to the feeds.

    Args:
        connection: the connection of the transaction.
        wanted: what `all_feeds` returned.
        ended: each end with its batch, in the order of the ends.
        now: the time, as it is stored.
    """
    by_batch: dict[str | None, list[End]] = {}
    for batch, end in ended:
        by_batch.setdefault(batch, []).append(end)
    rows = [row | {"now": now} for batch, ends in by_batch.items() for row in _rows_of(wanted, batch, ends)]
    if rows:
        connection.execute(_ADD, rows)


def _rows_of(wanted: Mapping[str, int], batch: str | None, ends: Sequence[End]) -> Iterator[dict[str, object]]:
    for feed in (wanted.get(""), wanted.get(batch) if batch else None):
        if feed is not None:
            for start in range(0, len(ends), MOST_ENDS):
                part = json_text.dumps(ends[start : start + MOST_ENDS]).decode()
                yield {"feed_id": feed, "batch": batch, "ends": part}


def _few(rows: Iterable[Any]) -> Iterator[FeedRow]:
    ends = 0
    for each in rows:
        row = _row(each)
        yield row
        ends += len(row.ends)
        if ends >= MANY:
            return


def _row(row: Any) -> FeedRow:
    ends: Any = json_text.loads(row.ends)
    return FeedRow(
        position=Position(row.sequence, row.id),
        batch=row.batch,
        ends=[End(*each) for each in ends],
    )


def _is_kept(row: Any, after: Position) -> bool:
    return row.gone_row is not None and (row.gone_sequence, row.gone_row) <= after


def _not_after(sequence: str, row: str) -> ColumnElement[bool]:
    """Return the condition that a row comes before the position with these parameters, or is there."""
    at = bindparam(sequence, type_=BigInteger)
    return or_(
        feed_ends.c.sequence < at,
        and_(feed_ends.c.sequence == at, feed_ends.c.id <= bindparam(row, type_=BigInteger)),
    )


_NOW = database_now(bindparam("now", type_=BigInteger))
_UNTIL = _NOW + LISTENED_FOR * _SECOND
_FEED = bindparam("feed", type_=BigInteger)
_IS_COMMITTED = or_(feed_ends.c.sequence == 0, feed_ends.c.sequence < first_unfinished())
_IN_ORDER = (feed_ends.c.sequence, feed_ends.c.id)

_ADD = insert(feed_ends).values(sequence=own_number(), at=_NOW)

_RENEW_ONE = update(feeds).where(feeds.c.batch == bindparam("of")).values(until=_UNTIL).returning(feeds.c.id)
_RENEW = (
    update(feeds).where(feeds.c.id.in_(bindparam("numbers", expanding=True))).values(until=_UNTIL).returning(feeds.c.id)
)

_GONE = select(feeds.c.gone_sequence, feeds.c.gone_row).where(feeds.c.id == _FEED)

_BEGIN = select(
    first_unfinished().label("lowest"),
    select(func.max(feed_ends.c.id)).scalar_subquery().label("newest"),
    select(feeds.c.gone_row).where(feeds.c.id == _FEED).scalar_subquery().label("gone_row"),
)

_ROWS = (
    select(
        feed_ends.c.id,
        feed_ends.c.sequence,
        feed_ends.c.batch,
        feed_ends.c.ends,
        select(feeds.c.gone_sequence).where(feeds.c.id == _FEED).scalar_subquery().label("gone_sequence"),
        select(feeds.c.gone_row).where(feeds.c.id == _FEED).scalar_subquery().label("gone_row"),
    )
    .where(feed_ends.c.feed_id == _FEED, ~_not_after("sequence", "row"), _IS_COMMITTED)
    .order_by(*_IN_ORDER)
    .limit(bindparam("most"))
)

_REMOVE = delete(feeds).where(feeds.c.until < _NOW).returning(feeds.c.id)
_REMOVE_LEFT_OVER = delete(feed_ends).where(
    or_(~exists().where(feeds.c.id == feed_ends.c.feed_id), feed_ends.c.at < _NOW - 10 * KEPT_FOR * _SECOND)
)
"""Removes what a slow transaction wrote to a feed after its end, and what a backup from another server had."""

_OLDEST = (
    select(feed_ends.c.id, feed_ends.c.sequence, (feed_ends.c.at < _NOW - KEPT_FOR * _SECOND).label("is_old"))
    .where(feed_ends.c.feed_id == _FEED, _IS_COMMITTED)
    .order_by(*_IN_ORDER)
    .limit(bindparam("most"))
)
_NOTE_GONE = (
    update(feeds)
    .where(feeds.c.id == bindparam("of"))
    .values(gone_sequence=bindparam("to_sequence"), gone_row=bindparam("to_row"))
)
_REMOVE_OLD = delete(feed_ends).where(feed_ends.c.feed_id == bindparam("of"), _not_after("to_sequence", "to_row"))
