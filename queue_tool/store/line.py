"""The line of a list: the batches whose tickets are not all in Redis, in the order of their turns.

Each of these batches has a row in `windows` for each list. The row's cursor `after` is the last task whose ticket was
pushed. All other tickets of the list are one more flow, which has the row of `OTHERS`: tasks without a batch or of a
small one, and tasks that are due, retried, put back or reopened. These tickets are marked one by one, with `pushed_at`.

While a list has a line, all new tickets of the list join it. Otherwise the line would never end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

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
    literal_column,
    select,
)

from queue_tool.model.queues import Lane, Priority
from queue_tool.model.states import State
from queue_tool.store.engine.direct import Direct
from queue_tool.store.engine.locks import writes_alone
from queue_tool.store.engine.lookup import exists_query
from queue_tool.store.engine.rows import as_rows, field, insert_new
from queue_tool.store.tables import batches, in_state, tasks, windows

OTHERS = 0
"""The batch id of the flow of tickets that belong to no batch in line. No batch has this id."""

SMALL = 100
"""The most tasks of a batch that waits with the others and has no turn of its own."""


def must_wait(connection: Connection, full: Collection[str], names: Collection[str]) -> bool:
    """Return whether new tickets must join the line.

    Args:
        connection: the connection of a transaction that writes.
        full: the lists that have no room for the new tickets.
        names: the lists of the new tickets.
    """
    return any(name in full or is_in_line(connection, name) for name in names)


def is_in_line(connection: Connection, name: str) -> bool:
    """Return whether anything waits in line for a list."""
    return _ANY_OF_LIST.first(connection, {"name": name}) is not None


def join(connection: Connection, rows: Iterable[tuple[str, str]], after: int = 0) -> None:
    """Let batches join lines, at their ends.

    Args:
        connection: the connection of a transaction that writes. It may have added the batches.
        rows: the public id of a batch and the name of a list, for each batch and each of its lists.
        after: the last task of the batches whose ticket was pushed.
    """
    entries = [(batch, name, *map(str, KINDS[name])) for batch, name in rows]
    if entries:
        connection.execute(_JOIN, as_rows(entries) | {"after": after})


def join_others(connection: Connection, names: Iterable[str]) -> None:
    """Let the tickets that belong to no batch in line join the lines of these lists, if they have not joined yet."""
    for name in sorted(set(names)):
        if writes_alone(connection) and _OTHERS_OF_LIST.first(connection, {"name": name}) is not None:
            continue  # they have joined it before
        turn = connection.execute(_NEXT_TURN, {"name": name}).scalar_one()
        priority, lane = KINDS[name]
        row = {"batch_id": OTHERS, "list": name, "priority": priority, "lane": lane, "after": 0, "turn": turn}
        insert_new(connection, windows, [row])


def leave(connection: Connection, batch_ids: Iterable[int]) -> None:
    """Remove batches from all lines. The rows are locked in the order of the batches, as everywhere.

    Args:
        connection: the connection of a transaction that writes.
        batch_ids: the rows of batches of which no task waits any more.
    """
    for batch_id in sorted(batch_ids):
        connection.execute(_LEAVE, {"batch": batch_id})


def _unpushed(priority: Priority, lane: Lane) -> ColumnElement[bool]:
    """Return the condition that a ticket of a list was not pushed. It is written exactly as in its index."""
    return and_(
        in_state(State.QUEUED),
        tasks.c.pushed_at.is_(None),
        tasks.c.priority == literal_column(f"'{priority.value}'"),
        tasks.c.lane == literal_column(f"'{lane.value}'"),
    )


KINDS = {lane.list_of(priority.queue): (priority.value, lane.value) for priority in Priority for lane in Lane}
"""The priority and the lane of each list."""

UNPUSHED = {lane.list_of(priority.queue): _unpushed(priority, lane) for priority in Priority for lane in Lane}
"""For each list, the condition that a ticket outside of the batches in line was not pushed."""

IN_LINE: ColumnElement[bool] = exists().where(
    windows.c.batch_id == tasks.c.batch_id,
    windows.c.priority == tasks.c.priority,
    windows.c.lane == tasks.c.lane,
    windows.c.after < tasks.c.id,
    tasks.c.run == 1,
)
"""The condition that a task's ticket waits in line, and is not known to be in Redis."""

_ANY_OF_LIST = Direct(exists_query(windows.c.list == bindparam("name")))

_OTHERS_OF_LIST = Direct(
    select(literal_column("1")).where(
        windows.c.batch_id == literal_column(str(OTHERS)), windows.c.list == bindparam("name")
    )
)

_others = windows.alias("others")

_NEXT_TURN = select(func.coalesce(func.max(windows.c.turn), 0) + 1).where(windows.c.list == bindparam("name"))

_JOIN = insert(windows).from_select(
    ["batch_id", "list", "priority", "lane", "after", "turn"],
    select(
        batches.c.id,
        field(1),
        field(2),
        field(3),
        bindparam("after", type_=BigInteger),
        select(func.coalesce(func.max(_others.c.turn), 0) + 1).where(_others.c.list == field(1)).scalar_subquery(),
    ).where(batches.c.public_id == field(0)),
)

_LEAVE = delete(windows).where(windows.c.batch_id == bindparam("batch"))
