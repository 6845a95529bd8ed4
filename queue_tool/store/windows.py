"""Windows in the store: what a filler reads and writes while it moves tickets from the lines to the lists in Redis.

A filler takes the lock of a list in Redis, reads the next portion, and pushes it. Then it notes the portion: the
cursors move, if they are still where the portion began. If it dies before that, the next filler begins at the same
cursors as soon as the lock is over. It pushes some tickets again, which is harmless. So all tickets up to a cursor are
known to be in Redis.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, bindparam, case, exists, func, literal, select, union_all, update

from queue_tool.model.window import LastFill
from queue_tool.store import line
from queue_tool.store.engine.clock import database_now
from queue_tool.store.engine.database import Database, micros
from queue_tool.store.engine.lookup import Lookup
from queue_tool.store.engine.rows import insert_new
from queue_tool.store.portions import Portion, move, next_portion
from queue_tool.store.pushed_tickets import PushedTickets, mark_pushed
from queue_tool.store.tables import batches, fills, queues, tasks, windows, workers
from queue_tool.store.tickets import list_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LineState:
    """What is known about the line and the window of a list."""

    waits: bool  # something waits in line
    is_paused: bool
    last: LastFill | None  # None: the list was never filled
    workers: int  # worker processes that live


class Windows:
    """The lines of all lists, and their windows."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database
        self._state = Lookup(database, _STATE)
        self._sizes = Lookup(database, _SIZES)
        self._in_line = Lookup(database, _IN_LINE)
        self._others = Lookup(database, _OTHERS)

    def lists_in_line(self) -> list[str]:
        """Return the lists with a line, the most urgent first. Paused queues are left out."""
        return [row.list for row in self._in_line.all()]

    def state(self, name: str, now: datetime) -> LineState:
        """Return the state of the line of a list."""
        row = self._state.first(list_name=name, of_priority=line.KINDS[name][0], now=micros(now))
        return LineState(
            waits=bool(row.waits),
            is_paused=bool(row.is_paused),
            last=LastFill(size=row.size, length=row.length, ago=max(0, row.ago) / 1e6) if row.size else None,
            workers=row.workers,
        )

    def sizes(self) -> tuple[dict[str, int], int]:
        """Return the window of each list that was ever filled, and how many worker processes live."""
        rows = self._sizes.all()
        return {row.list: row.size for row in rows if row.size}, rows[0].workers

    def join(self, batch: str, after: int, now: datetime) -> None:
        """Let a batch that is not completely pushed join the lines of its lists.

        Args:
            batch: the public id of the batch.
            after: the row of the last task whose ticket was pushed.
            now: the current time.
        """
        with self._database.write() as connection:
            row = connection.execute(_LOCK_UNPUSHED, {"public": batch}).first()
            if row is not None:
                kinds = connection.execute(_KINDS_OF_BATCH, {"batch": row.id}).all()
                line.join(connection, sorted((batch, list_of(*kind)) for kind in kinds), after)
                mark_pushed(connection, PushedTickets(at=now, batches=[batch]))

    def join_others(self, name: str) -> None:
        """Let the tickets that belong to no batch in line join the line of a list, if they have not joined yet."""
        if self._others.first(list_name=name) is None:
            with self._database.write(durable=False) as connection:
                line.join_others(connection, [name])

    def next(self, name: str, room: int) -> Portion:
        """Return the next tickets of the line of a list.

        Args:
            name: the list.
            room: how many tickets fit into the list.
        """
        with self._database.read() as connection:
            return next_portion(connection, name, room)

    def note(self, portion: Portion, size: int, length: int, now: datetime) -> bool:
        """Record that a portion was pushed.

        Args:
            portion: the tickets that are in Redis now.
            size: the window.
            length: tickets in the list after the push.
            now: the current time.

        Returns:
            False if another process has moved the cursors since the portion was read. It has pushed these tickets too.
        """
        known = {"list_name": portion.name, "new_size": size, "new_length": length, "now": micros(now)}
        with self._database.write(durable=False) as connection:
            if portion.others:
                mark_pushed(connection, PushedTickets(at=now, tickets=portion.others))
            if connection.execute(_NOTE, known).rowcount == 0:
                first = {"list": portion.name, "at": micros(now), "size": size, "length": length}
                insert_new(connection, fills, [first])
            return move(connection, portion.name, portion.cursors)


_NOW = database_now(bindparam("now", type_=BigInteger))


def _is_paused(priority: object) -> ColumnElement[bool]:
    return exists().where(queues.c.priority == priority, queues.c.paused_at.is_not(None))


_WORKERS = (
    select(func.count())
    .select_from(workers)
    .where(workers.c.name != literal(""), workers.c.gone_at.is_(None))
    .scalar_subquery()
    .label("workers")
)
"""Worker processes that live. Only our workers have a name."""

_OF_LIST = fills.c.list == bindparam("list_name")

_STATE = select(
    case((exists().where(windows.c.list == bindparam("list_name")), 1), else_=0).label("waits"),
    case((_is_paused(bindparam("of_priority")), 1), else_=0).label("is_paused"),
    select(fills.c.size).where(_OF_LIST).scalar_subquery().label("size"),
    select(fills.c.length).where(_OF_LIST).scalar_subquery().label("length"),
    select(_NOW - fills.c.at).where(_OF_LIST).scalar_subquery().label("ago"),
    _WORKERS,
)

_one_row = select(literal(1).label("number")).subquery("one_row")

_SIZES = select(fills.c.list, fills.c.size, _WORKERS).select_from(
    _one_row.outerjoin(fills, _one_row.c.number == literal(1))
)
"""It has a row even if no list was ever filled."""

_lists = union_all(
    *(
        select(literal(name).label("list")).where(exists().where(windows.c.list == name), ~_is_paused(priority))
        for name, (priority, _) in line.KINDS.items()
    )
).subquery("lists")

_IN_LINE = select(_lists.c.list)

_OTHERS = select(windows.c.turn).where(windows.c.list == bindparam("list_name"), windows.c.batch_id == line.OTHERS)

_KINDS_OF_BATCH = select(tasks.c.priority, tasks.c.lane).distinct().where(tasks.c.batch_id == bindparam("batch"))

_LOCK_UNPUSHED = (
    select(batches.c.id)
    .where(batches.c.public_id == bindparam("public"), batches.c.pushed_at.is_(None))
    .with_for_update()
)

_NOTE = update(fills).where(_OF_LIST).values(at=_NOW, size=bindparam("new_size"), length=bindparam("new_length"))
