"""The others: the tickets of a list that belong to no batch in line, the oldest first.

Many tasks of a large batch may be among them: those that are due, or that run again. They give half of their places to
what waits behind them, or a new task would wait for all of them.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, select

from queue_tool.model.ticket import Ticket
from queue_tool.store import line
from queue_tool.store.tables import batches, tasks
from queue_tool.store.tickets import TICKET_COLUMNS, ticket_of

DEPTH = 8
"""The most large batches that give places to others in one portion. Each gets half as many as the one before."""


def others_of(connection: Connection, name: str, limit: int) -> tuple[Ticket, ...]:
    """Return the next tickets of the others of a list.

    Args:
        connection: the connection of a transaction.
        name: the list.
        limit: the most tickets to return. They are fewer only if there are no more.
    """
    return tuple(map(ticket_of, _rows(connection, name, limit, 0, DEPTH)))


def _rows(connection: Connection, name: str, limit: int, after: int, depth: int) -> list[Any]:
    """Return the rows of the next tickets after a task."""
    page = list(connection.execute(_PAGE[name], {"after": after, "most": limit}))
    last = connection.execute(_LAST, {"batch": page[-1].batch_id}).scalar() if len(page) == limit and depth else None
    if last is None:
        return page
    of_batch = [row for row in page if row.batch_id == page[-1].batch_id]
    behind = _rows(connection, name, max(1, len(of_batch) // 2), last, depth - 1)
    if len(of_batch) == 1 and behind and (of_batch[0].id + behind[0].id) % 2:  # for one place, they alternate
        return page
    given = {row.token for row in of_batch[len(of_batch) - len(behind) :]}
    return [row for row in page if row.token not in given] + behind


_PAGE = {
    name: select(*TICKET_COLUMNS, tasks.c.batch_id)
    .where(condition, tasks.c.id > bindparam("after", type_=BigInteger))
    .order_by(tasks.c.id)
    .limit(bindparam("most"))
    for name, condition in line.UNPUSHED.items()
}

_LAST = (
    select(tasks.c.id)
    .where(
        tasks.c.batch_id == bindparam("batch", type_=BigInteger),
        select(batches.c.accepted).where(batches.c.id == bindparam("batch")).scalar_subquery() > line.SMALL,
    )
    .order_by(tasks.c.batch_id.desc(), tasks.c.id.desc())
    .limit(1)
)
"""The last task of a large batch; none for a small one."""
