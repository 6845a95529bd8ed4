"""Tickets in the store: the rows of the tasks define which tickets should be in Redis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    Text,
    bindparam,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    union_all,
    update,
)

from queue_tool.model.queues import Lane, Priority
from queue_tool.model.states import State
from queue_tool.model.ticket import Ticket
from queue_tool.store import line
from queue_tool.store.engine.database import Database, moment, moment_or_none
from queue_tool.store.engine.lookup import Lookup, exists_query
from queue_tool.store.engine.rows import as_rows, is_among
from queue_tool.store.moves import lock_tokens
from queue_tool.store.tables import batches, in_state, parts, tasks
from queue_tool.store.tasks import chunks

LAST = 2**63 - 1
"""The highest possible id of a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketPage:
    """A page of tickets, and the row after which the next page begins."""

    tickets: tuple[Ticket, ...]
    last: int  # id of the last row


@dataclass(frozen=True, slots=True, kw_only=True)
class BeingPushed:
    """A task without a batch whose sender pushes its ticket."""

    token: str
    sender: int  # the number of the process
    created_at: datetime


class Tickets:
    """The tickets of all tasks."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database
        self._any_unpushed = Lookup(database, exists_query(IS_UNPUSHED))
        self._being_pushed = Lookup(database, BY_SENDERS)

    def lists_unpushed(self) -> list[str]:
        """Return the lists that have tickets to push, the most urgent list first."""
        if self._any_unpushed.first() is None:
            return []
        with self._database.read() as connection:
            return list(connection.execute(_LISTS_UNPUSHED).scalars())

    def unpushed(self, name: str, limit: int) -> tuple[Ticket, ...]:
        """Return up to `limit` tickets of a list that must be pushed, the oldest first."""
        with self._database.read() as connection:
            return unpushed_of(connection, name, limit)

    def being_pushed(self, limit: int) -> list[BeingPushed]:
        """Return up to `limit` queued tasks without a batch that their senders push, the oldest first."""
        return [
            BeingPushed(token=row.token, sender=-row.pushed_at, created_at=moment(row.created_at))
            for row in self._being_pushed.all(most=limit)
        ]

    def end_grace(self, tokens: Sequence[str]) -> None:
        """Let the sweepers push the tickets of these tasks, because their senders do not."""
        with self._database.write(durable=False) as connection:
            lock_tokens(connection, tokens)
            connection.execute(_END_GRACE, as_rows(tokens))

    def pushes_done_until(self) -> int:
        """Return the last row up to which no first push is in progress.

        A ticket of an earlier row that is missing in Redis is lost.
        """
        with self._database.read() as connection:
            rows: list[int] = [row for row in connection.execute(_PUSHES_DONE_UNTIL).one() if row is not None]
        return min(rows)

    def last_row(self) -> int:
        """Return the row of the latest task; 0 if there is none."""
        with self._database.read() as connection:
            last: int = connection.execute(_LAST_ROW).scalar_one()
        return last

    def waiting_in(self, batch: str, after: int = 0, limit: int = 5000) -> TicketPage:
        """Return a page of a batch's tickets that wait for a worker, in the order of submission.

        Args:
            batch: the public id of the batch.
            after: the row after which the page begins.
            limit: the most tickets in the page.
        """
        mine = select(batches.c.id).where(batches.c.public_id == batch).scalar_subquery()
        return self._page(_TICKETS.where(tasks.c.batch_id == mine, tasks.c.id > after), limit)

    def waiting(self, after: int = 0, until: int = LAST, limit: int = 5000) -> TicketPage:
        """Return a page of the tickets that should be in Redis. Those in line and those not pushed yet are left out.

        Args:
            after: the row after which the page begins.
            until: the last row to read.
            limit: the most tickets in the page.
        """
        return self._page(_SHOULD_WAIT.where(tasks.c.id > after, tasks.c.id <= until), limit)

    def still_waiting(self, runs: Sequence[tuple[str, int]]) -> tuple[Ticket, ...]:
        """Return the tickets of the given runs (token, run) that wait for a worker."""
        found: list[Ticket] = []
        wanted = set(runs)
        with self._database.read() as connection:
            for chunk in chunks([token for token, _ in runs]):
                rows = connection.execute(_TICKETS.where(tasks.c.token.in_(chunk))).all()
                found += [ticket_of(row) for row in rows if (row.token, row.run) in wanted]
        return tuple(found)

    def unended(self, runs: Sequence[tuple[str, int]]) -> set[tuple[str, int]]:
        """Return those of the given runs (token, run) that have not ended."""
        found: set[tuple[str, int]] = set()
        with self._database.read() as connection:
            for chunk in chunks([token for token, _ in runs]):
                open_runs = select(tasks.c.token, tasks.c.run).where(
                    tasks.c.token.in_(chunk), tasks.c.finished_at.is_(None)
                )
                found |= {(row.token, row.run) for row in connection.execute(open_runs)}
        return found & set(runs)

    def oldest_waiting(self) -> datetime | None:
        """Return when the oldest queued task was submitted, or None if no task is queued."""
        with self._database.read() as connection:
            return moment_or_none(connection.execute(_OLDEST).scalar())

    def _page(self, statement: Select[Any], limit: int) -> TicketPage:
        with self._database.read() as connection:
            rows = connection.execute(statement.limit(limit)).all()
        return TicketPage(tickets=tuple(ticket_of(row) for row in rows), last=rows[-1].id if rows else 0)


def unpushed_of(connection: Connection, name: str, limit: int) -> tuple[Ticket, ...]:
    """Return up to `limit` tickets of a list that must be pushed and belong to no batch in line, the oldest first."""
    return tuple(ticket_of(row) for row in connection.execute(_UNPUSHED[name].limit(limit)))


def ticket_of(row: Row[*tuple[Any, ...]]) -> Ticket:
    """Return the ticket of a row with `TICKET_COLUMNS`."""
    return Ticket(token=row.token, run=row.run, list=list_of(row.priority, row.lane), task_type=row.task_type)


def list_of(priority: str, lane: str) -> str:
    """Return the list for the tickets of a priority and a lane."""
    return Lane(lane).list_of(Priority(priority).queue)


TICKET_COLUMNS = (tasks.c.id, tasks.c.token, tasks.c.run, tasks.c.priority, tasks.c.lane, tasks.c.task_type)
_TICKETS = select(*TICKET_COLUMNS).where(in_state(State.QUEUED)).order_by(tasks.c.id)

_SHOULD_WAIT = _TICKETS.outerjoin_from(tasks, batches, batches.c.id == tasks.c.batch_id).where(
    tasks.c.pushed_at >= 0,
    ~line.IN_LINE,
    or_(tasks.c.run > 1, tasks.c.batch_id.is_(None), batches.c.pushed_at.is_not(None)),
)

# The condition is a literal, so that both databases use its partial index.
_HAS_SENDER = in_state(State.QUEUED) & (tasks.c.pushed_at < literal_column("0"))

IS_UNPUSHED = in_state(State.QUEUED) & tasks.c.pushed_at.is_(None)
"""The condition that nobody has pushed a queued task, and nobody is about to do so."""

BY_SENDERS = (
    select(tasks.c.token, tasks.c.pushed_at, tasks.c.created_at)
    .where(_HAS_SENDER)
    .order_by(tasks.c.id)
    .limit(bindparam("most"))
)

_END_GRACE = (
    update(tasks)
    .where(is_among(tasks.c.token, bindparam("rows", type_=Text)), tasks.c.pushed_at + 0 < 0)
    .values(pushed_at=None)
)

_OLDEST = select(tasks.c.created_at).where(in_state(State.QUEUED)).order_by(tasks.c.id).limit(1)

_LISTS_UNPUSHED = union_all(
    *(select(literal(name)).where(exists().where(condition)) for name, condition in line.UNPUSHED.items())
)

_UNPUSHED = {
    name: select(*TICKET_COLUMNS).where(condition).order_by(tasks.c.id) for name, condition in line.UNPUSHED.items()
}

_BEING_PUSHED = select(batches.c.id).where(batches.c.pushed_at.is_(None)).order_by(batches.c.id).limit(1)

_LAST_ROW = select(func.coalesce(func.max(tasks.c.id), 0))

_PUSHES_DONE_UNTIL = select(
    select(func.min(tasks.c.id) - 1).where(tasks.c.batch_id == _BEING_PUSHED.scalar_subquery()).scalar_subquery(),
    select(func.min(parts.c.after)).where(parts.c.sender.is_not(None)).scalar_subquery(),
    func.coalesce(select(func.max(tasks.c.id)).scalar_subquery(), 0),
)
