"""Losses in the store: the running tasks of dead workers are taken back, and those that had begun count a loss."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Row, Text, bindparam, case, select

from queue_tool.model.queues import Lane
from queue_tool.model.states import MOST_LOSSES, TOGETHER_FROM, Code, Move, State
from queue_tool.model.ticket import Ticket, ticket_id
from queue_tool.store import attempts, ends
from queue_tool.store.engine.database import micros
from queue_tool.store.engine.rows import as_rows, is_among
from queue_tool.store.listening import LISTENING
from queue_tool.store.moves import lock_tasks, update_for
from queue_tool.store.tables import in_state, tasks
from queue_tool.store.tickets import TICKET_COLUMNS, ticket_of

LOST_TOO_OFTEN = f"{MOST_LOSSES} processes died while they ran this task."

NOTHING_KNOWN: Mapping[int, Collection[str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """What `Runs.take_back` did with the tasks of dead workers."""

    tickets: tuple[Ticket, ...]  # tickets of the tasks that were queued again
    given_up: tuple[str, ...]  # tokens of the tasks that failed, because too many processes died while they ran them
    finished: tuple[str, ...]  # ids of the batches that have no open task left
    made: tuple[Ticket, ...] = ()  # tickets of the continuations of what has ended


def take_back(
    connection: Connection, owners: Sequence[int], now: datetime, begun: Mapping[int, Collection[str]]
) -> TakenBack:
    """Do what `Runs.take_back` says, in the transaction of this connection."""
    parameters = {"owners": list(owners)}
    lock_tasks(connection, in_state(State.RUNNING) & tasks.c.owner.in_(owners))
    back = [row for owner, tickets in begun.items() for row in _put_back(connection, owner, tickets)]
    attempts.add_lost(connection, owners, now)
    given_up = connection.execute(_GIVE_UP, parameters | {"now": micros(now)}).all()
    changes = ends.BatchChanges(connection, now)
    continuing = [row.token for row in given_up if row.continues]
    changes.add(Move.GIVE_UP, (row.batch_id for row in given_up), continuing=continuing)
    if given_up:
        changes.tell_of((row.token for row in given_up), given_up[0].listening)
    rows = connection.execute(_LOSE, parameters).all()
    ended = changes.apply()
    return TakenBack(
        tickets=tuple(ticket_of(row) for row in (*rows, *back)),
        given_up=tuple(row.token for row in given_up),
        finished=ended.finished,
        made=ended.made,
    )


def _put_back(connection: Connection, owner: int, begun: Collection[str]) -> Sequence[Row[*tuple[Any, ...]]]:
    """Put the tasks of a dead worker back whose functions it had not called."""
    held = connection.execute(_RUNNING_AT, {"of": owner})
    tokens = [token for token, run in held if ticket_id(token, run) not in begun]
    return connection.execute(_PUT_BACK, {"of": owner} | as_rows(tokens)).all() if tokens else ()


_RUNNING_AT = select(tasks.c.token, tasks.c.run).where(in_state(State.RUNNING), tasks.c.owner == bindparam("of"))

_PUT_BACK = (
    update_for(Move.PUT_BACK)
    .where(is_among(tasks.c.token, bindparam("rows", type_=Text)), tasks.c.owner + 0 == bindparam("of"))
    .returning(*TICKET_COLUMNS)
)

LANE_AFTER_A_LOSS = case((tasks.c.losses >= TOGETHER_FROM - 1, Lane.ISOLATED.value), else_=tasks.c.lane)

_LOSE = (
    update_for(Move.LOSE, keyed=False)
    .where(tasks.c.owner.in_(bindparam("owners", expanding=True)))
    .values(lane=LANE_AFTER_A_LOSS)
    .returning(*TICKET_COLUMNS)
)

_GIVE_UP = (
    ends.closing(Move.GIVE_UP, keyed=False)
    .where(tasks.c.owner.in_(bindparam("owners", expanding=True)), tasks.c.losses >= MOST_LOSSES - 1)
    .values(code=Code.WORKER_LOST.value, error=LOST_TOO_OFTEN)
    .returning(tasks.c.token, tasks.c.batch_id, tasks.c.continues, LISTENING)
)
