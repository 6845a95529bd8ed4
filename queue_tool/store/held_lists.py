"""Held lists: those that are full in Redis, so that tickets that come next wait in the database.

A list is held from the first task that found no room until the last one that waits has been pushed: in between
all tasks for it wait here, so none overtakes another.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, exists, literal_column, select

from queue_tool.model.queues import Lane, Priority
from queue_tool.model.states import State
from queue_tool.store.engine.database import micros
from queue_tool.store.engine.lookup import whether
from queue_tool.store.engine.rows import insert_new
from queue_tool.store.tables import held_lists, in_state, tasks


def is_held(connection: Connection, name: str) -> bool:
    """Tell whether new tasks for a list must wait here."""
    return connection.execute(_HELD, {"name": name}).first() is not None


def hold_or_held(connection: Connection, hold_now: Iterable[str], names: Iterable[str], now: datetime) -> bool:
    """Hold the lists that have no room; tell whether new tasks for any of the named lists must wait here."""
    hold(connection, hold_now, now)
    return any(is_held(connection, name) for name in names)


def hold(connection: Connection, names: Iterable[str], now: datetime) -> None:
    """Let all new tasks for these lists wait here from now on."""
    insert_new(connection, held_lists, [{"list": name, "since": micros(now)} for name in sorted(set(names))])


def let_go(connection: Connection) -> bool:
    """Release the lists for which no task waits here any more; tell whether any list is still held."""
    names = connection.execute(select(held_lists.c.list)).scalars().all()
    over = [name for name in names if not connection.execute(select(exists().where(UNPUSHED[name]))).scalar_one()]
    connection.execute(delete(held_lists).where(held_lists.c.list.in_(over)))
    return len(over) < len(names)


ANY = whether(held_lists.c.since.is_not(None))
"""The question whether any list is held."""

_HELD = select(held_lists.c.since).where(held_lists.c.list == bindparam("name"))


def _unpushed(priority: Priority, lane: Lane) -> ColumnElement[bool]:
    """Return the condition that a task waits here for its turn; its words are those of the index."""
    return and_(
        in_state(State.QUEUED),
        tasks.c.pushed_at.is_(None),
        tasks.c.priority == literal_column(f"'{priority.value}'"),
        tasks.c.lane == literal_column(f"'{lane.value}'"),
    )


UNPUSHED = {lane.list_of(priority.queue): _unpushed(priority, lane) for priority in Priority for lane in Lane}
"""For each list the condition that a task of it waits here."""
