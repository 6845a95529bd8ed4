"""Pushed tickets: the record that they are in Redis, so that no sweeper pushes them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, Connection, Integer, Text, bindparam, select, update

from queue_tool.model.states import State
from queue_tool.model.ticket import Ticket
from queue_tool.store.engine.database import micros
from queue_tool.store.engine.direct import Direct
from queue_tool.store.engine.locks import lock_rows
from queue_tool.store.engine.rows import as_rows, field, is_among
from queue_tool.store.moves import lock_tokens
from queue_tool.store.tables import batches, in_state, parts, tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedTickets:
    """Tickets that are in Redis."""

    at: datetime
    batches: Sequence[str] = ()  # ids of batches of which every ticket that can be pushed was pushed
    tickets: Sequence[Ticket] = ()  # other tickets
    parts: Sequence[tuple[int, int]] = ()  # batch row and start of parts whose tickets are all pushed, or in line

    def __bool__(self) -> bool:
        """Return whether there is anything to record."""
        return bool(self.batches or self.tickets or self.parts)


def mark_pushed(connection: Connection, pushed: PushedTickets) -> None:
    """Record pushed tickets. The locks are taken as everywhere: tasks by their tokens, then batches by their ids.

    Args:
        connection: the connection of a transaction that writes.
        pushed: the tickets.
    """
    mark_tickets(connection, pushed)
    mark_batches(connection, pushed)


def mark_tickets(connection: Connection, pushed: PushedTickets) -> None:
    """Record pushed tickets that belong to no pushed batch. Then `mark_batches` may follow, later in a transaction."""
    if pushed.tickets:
        lock_tokens(connection, (ticket.token for ticket in pushed.tickets))
        rows = as_rows((ticket.token, ticket.run) for ticket in pushed.tickets)
        _MARK_TICKETS.run(connection, rows | {"now": micros(pushed.at)})


def mark_batches(connection: Connection, pushed: PushedTickets, others: Sequence[str] = ()) -> None:
    """Record pushed batches and parts.

    Args:
        connection: the connection of a transaction that writes.
        pushed: the tickets.
        others: the public ids of other batches that this transaction changes afterwards. They are locked too, because
            batches are always locked in the order of their ids.
    """
    if pushed.batches or others:
        lock_rows(connection, _LOCK_BATCHES, [*pushed.batches, *others])
    if pushed.batches:
        _MARK_BATCHES.run(connection, as_rows(pushed.batches) | {"now": micros(pushed.at)})
    if pushed.parts:
        connection.execute(_MARK_PARTS, as_rows(pushed.parts))


_OF_BATCHES = is_among(batches.c.public_id, bindparam("rows", type_=Text))

_LOCK_BATCHES = select(batches.c.id).where(_OF_BATCHES).order_by(batches.c.id).with_for_update()

_MARK_BATCHES = Direct(update(batches).where(_OF_BATCHES).values(pushed_at=bindparam("now")))

_MARK_PARTS = (
    update(parts)
    .where(parts.c.batch_id == field(0, BigInteger()), parts.c.start == field(1, Integer()))
    .values(sender=None)
)

_MARK_TICKETS = Direct(
    update(tasks)
    .where(tasks.c.token == field(0), tasks.c.run == field(1, BigInteger()), in_state(State.QUEUED, keyed=True))
    .values(pushed_at=bindparam("now"))
)
