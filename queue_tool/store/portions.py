"""Portions: the next tickets of a line, as many as fit into the list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    Text,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    select,
    update,
)

from queue_tool.model.states import State
from queue_tool.model.ticket import Ticket
from queue_tool.model.window import TURN
from queue_tool.store import line
from queue_tool.store.engine.locks import lock_rows
from queue_tool.store.engine.pages import in_group_after
from queue_tool.store.others import others_of
from queue_tool.store.tables import batches, in_state, tasks, windows

PAGES = 4
"""The most pages of a batch in one portion. Tasks that were canceled or claimed already give no tickets."""

COUNTED = 1000
"""The most batches in line that are counted."""

BATCHES = 250
"""The most batches in one portion, since small ones do not fill the room."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a portion goes in one batch."""

    batch_id: int
    before: int  # where the portion began: the last task before it
    after: int  # the last task that was looked at
    is_over: bool  # nothing of the batch waits in line after it


@dataclass(slots=True, kw_only=True)
class Portion:
    """Tickets to push, and the cursors to move afterwards."""

    name: str  # the list
    first_runs: list[tuple[str, Sequence[str]]] = field(default_factory=list)  # task type and tokens, in their order
    others: tuple[Ticket, ...] = ()  # tickets that belong to no batch in line
    cursors: list[Cursor] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Return how many tickets these are."""
        return sum(len(tokens) for _, tokens in self.first_runs) + len(self.others)


def next_portion(connection: Connection, name: str, room: int) -> Portion:
    """Return the next tickets of the line of a list. Each batch gets at least `TURN` of them, if there is room.

    Args:
        connection: the connection of a transaction.
        name: the list.
        room: how many tickets fit into the list.
    """
    portion = Portion(name=name)
    turn = max(TURN, room // max(1, connection.execute(_COUNT, {"list_name": name}).scalar_one()))
    for row in connection.execute(_LINE, {"list_name": name, "most": BATCHES}).all():
        wanted = min(turn, room - portion.count)
        if wanted <= 0:
            break
        if row.batch_id == line.OTHERS:
            portion.others = others_of(connection, name, wanted)
            portion.cursors.append(Cursor(line.OTHERS, 0, 0, len(portion.others) < wanted))
        elif row.open:
            _add_batch(connection, portion, row, wanted)
        else:
            portion.cursors.append(Cursor(row.batch_id, row.after, row.after, is_over=True))
    return portion


def move(connection: Connection, name: str, cursors: Iterable[Cursor]) -> bool:
    """Move cursors to where a portion ended, and their batches to the end of the line or out of it.

    The rows are locked in the order of the batches, as everywhere. Return whether all cursors were where the portion
    began. A cursor that was not stays.
    """
    moved = True
    for cursor in sorted(cursors, key=lambda cursor: cursor.batch_id):
        row = {"list_name": name, "batch": cursor.batch_id, "before": cursor.before}
        if not cursor.is_over:
            moved &= connection.execute(_MOVE, row | {"last": cursor.after}).rowcount == 1
        elif cursor.batch_id == line.OTHERS:
            lock_rows(connection, _LOCK_OTHERS[name])  # a new task may have joined since the portion was read
            connection.execute(_END_OTHERS[name])
        else:
            moved &= connection.execute(_END, row).rowcount == 1
    return moved


def _add_batch(connection: Connection, portion: Portion, row: Any, wanted: int) -> None:
    """Add the next tickets of a batch. A page looks at no more tasks than it wants tickets."""
    after, found, is_over = row.after, 0, False
    kind = {"of_batch": row.batch_id, "of_priority": row.priority, "of_lane": row.lane}
    for _ in range(PAGES):
        most = wanted - found
        values = kind | {"after": after, "most": most}
        page = connection.execute(PAGE, values).one()
        if page.tickets and page.first_type == page.last_type:
            portion.first_runs.append((page.first_type, page.tokens.split(" ")))
        elif page.tickets:
            portion.first_runs += _by_type(connection.execute(_EACH, values).all())
        is_over = page.looked_at < most
        after, found = page.last or after, found + page.tickets
        if is_over or found == wanted:
            break
    portion.cursors.append(Cursor(row.batch_id, row.after, after, is_over))


def _by_type(rows: Sequence[Any]) -> list[tuple[str, Sequence[str]]]:
    tokens: dict[str, list[str]] = {}
    for row in rows:
        if row.is_ticket:
            tokens.setdefault(row.task_type, []).append(row.token)
    return list(tokens.items())


_COUNT = select(func.count()).select_from(
    select(windows.c.turn).where(windows.c.list == bindparam("list_name")).limit(COUNTED).subquery()
)

_LINE = (
    select(windows.c.batch_id, windows.c.priority, windows.c.lane, windows.c.after, batches.c.open)
    .outerjoin_from(windows, batches, batches.c.id == windows.c.batch_id)
    .where(windows.c.list == bindparam("list_name"))
    .order_by(windows.c.turn, windows.c.batch_id)
    .limit(bindparam("most"))
)

_IS_TICKET = and_(
    in_state(State.QUEUED, keyed=True),
    tasks.c.run == 1,
    tasks.c.pushed_at.is_not(None),  # a task that came due is one of the others
    tasks.c.priority == bindparam("of_priority", type_=Text),
    tasks.c.lane == bindparam("of_lane", type_=Text),
)

_EACH = (
    select(tasks.c.id, tasks.c.token, tasks.c.task_type, case((_IS_TICKET, 1), else_=0).label("is_ticket"))
    .where(
        in_group_after(
            tasks.c.batch_id,
            tasks.c.id,
            bindparam("of_batch", type_=BigInteger),
            bindparam("after", type_=BigInteger),
        )
    )
    .order_by(tasks.c.batch_id, tasks.c.id)
    .limit(bindparam("most", type_=Integer))
)
"""A page of a batch. The states of its tasks are no condition: the database would read on past thousands of them."""

_page = _EACH.subquery("page")

_task_type = case((_page.c.is_ticket == 1, _page.c.task_type))

PAGE = select(
    func.count().label("looked_at"),
    func.coalesce(func.sum(_page.c.is_ticket), 0).label("tickets"),
    func.max(_page.c.id).label("last"),
    func.min(_task_type).label("first_type"),
    func.max(_task_type).label("last_type"),
    func.aggregate_strings(case((_page.c.is_ticket == 1, _page.c.token)), " ").label("tokens"),
)
"""A page as one row. A thousand rows would take longer to read than the database takes to find them."""

_OF_ROW = (
    windows.c.list == bindparam("list_name"),
    windows.c.batch_id == bindparam("batch"),
    windows.c.after == bindparam("before"),
)

_all = windows.alias("all_of_list")

_MOVE = (
    update(windows)
    .where(*_OF_ROW)
    .values(
        after=bindparam("last"),
        turn=select(func.max(_all.c.turn) + 1).where(_all.c.list == bindparam("list_name")).scalar_subquery(),
    )
)

_END = delete(windows).where(*_OF_ROW)

_LOCK_OTHERS = {
    name: select(windows.c.turn).where(windows.c.list == name, windows.c.batch_id == line.OTHERS).with_for_update()
    for name in line.KINDS
}

_END_OTHERS = {
    name: delete(windows).where(
        windows.c.list == name, windows.c.batch_id == line.OTHERS, ~exists().where(line.UNPUSHED[name])
    )
    for name in line.KINDS
}
