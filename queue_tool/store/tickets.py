"""Tickets in the store: what should be in Redis, as the rows of the tasks say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, bindparam, or_, select, update

from queue_tool.store.database import Database, micros, moment_or_none
from queue_tool.store.tables import batches, in_state, tasks
from queue_tool.store.tasks import chunks
from queue_tool.tasks import Lane, Priority, State, Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A page of tickets, and where the next page begins."""

    tickets: tuple[Ticket, ...]
    last: int  # id of the last row


class Tickets:
    """The tickets of the table of tasks."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._database = database

    def mark_pushed(self, tickets: Iterable[Ticket], now: datetime) -> None:
        """Keep that these tickets are in Redis."""
        rows = [{"ticket_token": one.token, "ticket_run": one.run, "now": micros(now)} for one in tickets]
        if rows:
            with self._database.write() as connection:
                connection.execute(_MARK_PUSHED, rows)

    def unpushed(self, limit: int = 1000) -> tuple[Ticket, ...]:
        """Return tickets of tasks that went back into the queue and were not pushed yet, the oldest first."""
        return self._page(_TICKETS.where(tasks.c.pushed_at.is_(None)), limit).tickets

    def waiting_in(self, batch: str, after: int = 0, limit: int = 5000) -> Waiting:
        """Return a page of a batch's tickets that wait for a worker, in the order of submission."""
        mine = select(batches.c.id).where(batches.c.public_id == batch).scalar_subquery()
        return self._page(_TICKETS.where(tasks.c.batch_id == mine, tasks.c.id > after), limit)

    def waiting(self, after: int = 0, limit: int = 5000) -> Waiting:
        """Return a page of the tickets that should be in Redis: not those whose push is still to come."""
        return self._page(_SHOULD_WAIT.where(tasks.c.id > after), limit)

    def still_waiting(self, runs: Sequence[tuple[str, int]]) -> tuple[Ticket, ...]:
        """Return the tickets of those of these runs that wait for a worker."""
        found: list[Ticket] = []
        wanted = set(runs)
        with self._database.read() as connection:
            for chunk in chunks([token for token, _ in runs]):
                rows = connection.execute(_TICKETS.where(tasks.c.token.in_(chunk))).all()
                found += [ticket_of(row) for row in rows if (row.token, row.run) in wanted]
        return tuple(found)

    def oldest_waiting(self) -> datetime | None:
        """Return when the task was sent that waits for a worker first; None if none waits."""
        with self._database.read() as connection:
            return moment_or_none(connection.execute(_OLDEST).scalar())

    def _page(self, statement: Select[Any], limit: int) -> Waiting:
        with self._database.read() as connection:
            rows = connection.execute(statement.limit(limit)).all()
        return Waiting(tickets=tuple(ticket_of(row) for row in rows), last=rows[-1].id if rows else 0)


def ticket_of(row: Row[*tuple[Any, ...]]) -> Ticket:
    """Return the ticket of a row that has `TICKET_COLUMNS`."""
    queue = Priority(row.priority).queue
    return Ticket(token=row.token, run=row.run, list=Lane(row.lane).list_of(queue), task_type=row.task_type)


TICKET_COLUMNS = (tasks.c.id, tasks.c.token, tasks.c.run, tasks.c.priority, tasks.c.lane, tasks.c.task_type)
_TICKETS = select(*TICKET_COLUMNS).where(in_state(State.QUEUED)).order_by(tasks.c.id)

_SHOULD_WAIT = _TICKETS.outerjoin_from(tasks, batches, batches.c.id == tasks.c.batch_id).where(
    tasks.c.pushed_at.is_not(None),
    or_(tasks.c.run > 1, tasks.c.batch_id.is_(None), batches.c.pushed_at.is_not(None)),
)

_OLDEST = select(tasks.c.created_at).where(in_state(State.QUEUED)).order_by(tasks.c.id).limit(1)

_MARK_PUSHED = (
    update(tasks)
    .where(
        tasks.c.token == bindparam("ticket_token"),
        tasks.c.run == bindparam("ticket_run"),
        in_state(State.QUEUED),
    )
    .values(pushed_at=bindparam("now"))
)
