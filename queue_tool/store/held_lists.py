"""Held lists: lists that are full in Redis, so that the next tickets wait in the database.

A list is held from the first ticket without room in Redis until all of its waiting tickets are pushed. Meanwhile all
new tickets of the list wait in the database, so that no ticket overtakes another.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, exists, literal_column, select

from queue_tool.model.queues import Lane, Priority
from queue_tool.model.states import State
from queue_tool.store.engine.database import micros
from queue_tool.store.engine.lookup import exists_query
from queue_tool.store.engine.rows import insert_new
from queue_tool.store.tables import held_lists, in_state, tasks


def is_held(connection: Connection, name: str) -> bool:
    """Return whether new tickets of a list must wait in the database."""
    return connection.execute(_HELD, {"name": name}).first() is not None


def hold_and_check(connection: Connection, full: Iterable[str], names: Iterable[str], now: datetime) -> bool:
    """Hold the lists that are full in Redis, and check other lists.

    Args:
        connection: the connection of a transaction that writes.
        full: the lists to hold.
        names: the lists to check.
        now: the current time.

    Returns:
        Whether new tickets of any of the checked lists must wait in the database.
    """
    hold(connection, full, now)
    return any(is_held(connection, name) for name in names)


def hold(connection: Connection, names: Iterable[str], now: datetime) -> None:
    """Hold these lists: all of their new tickets wait in the database from now on."""
    insert_new(connection, held_lists, [{"list": name, "since": micros(now)} for name in sorted(set(names))])


def release(connection: Connection) -> bool:
    """Release the held lists that have no waiting ticket left. Return whether any list is still held."""
    names = connection.execute(select(held_lists.c.list)).scalars().all()
    empty = [name for name in names if not connection.execute(select(exists().where(UNPUSHED[name]))).scalar_one()]
    connection.execute(delete(held_lists).where(held_lists.c.list.in_(empty)))
    return len(empty) < len(names)


ANY = exists_query(held_lists.c.since.is_not(None))
"""The query whether any list is held."""

_HELD = select(held_lists.c.since).where(held_lists.c.list == bindparam("name"))


def _unpushed(priority: Priority, lane: Lane) -> ColumnElement[bool]:
    """Return the condition that a ticket of a list waits in the database. It is written exactly as in its index."""
    return and_(
        in_state(State.QUEUED),
        tasks.c.pushed_at.is_(None),
        tasks.c.priority == literal_column(f"'{priority.value}'"),
        tasks.c.lane == literal_column(f"'{lane.value}'"),
    )


UNPUSHED = {lane.list_of(priority.queue): _unpushed(priority, lane) for priority in Priority for lane in Lane}
"""For each list, the condition that one of its tickets waits in the database."""
