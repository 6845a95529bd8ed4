"""The totals of the whole store: how many batches, tasks and refused elements it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select

from queue_tool.model.states import State
from queue_tool.store.engine.database import Database
from queue_tool.store.tables import batches, in_state, tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """How much the store has, all read at one moment. Each task is counted exactly once, by its own state."""

    batches: int
    waiting: int  # tasks that are queued or scheduled
    running: int
    ended: int
    rejected: int  # refused elements of batches

    @property
    def accepted(self) -> int:
        """Return the number of all tasks, those without a batch included."""
        return self.waiting + self.running + self.ended


def read_totals(database: Database) -> Totals:
    """Count everything in one statement, so that no change falls between two of the counts.

    Raises:
        StoreAway: the database cannot be reached.
    """
    with database.read() as connection:
        return Totals(**connection.execute(_TOTALS).one()._mapping)


def read_states(database: Database) -> Mapping[State, int]:
    """Count the tasks in each state in one statement.

    Raises:
        StoreAway: the database cannot be reached.
    """
    with database.read() as connection:
        found = connection.execute(_STATES).one()._mapping
    return {state: found[state.value] for state in State}


def _number_of(*states: State) -> ColumnElement[int]:
    """Return the subquery that counts the tasks in these states. It counts each state through its own index."""
    first, *others = (
        select(func.count()).select_from(tasks).where(in_state(each)).scalar_subquery() for each in states
    )
    return sum(others, first)


_TOTALS = select(
    select(func.count()).select_from(batches).scalar_subquery().label("batches"),
    _number_of(State.QUEUED, State.SCHEDULED).label("waiting"),
    _number_of(State.RUNNING).label("running"),
    _number_of(*(state for state in State if state.ended)).label("ended"),
    select(func.coalesce(func.sum(batches.c.rejected), 0)).scalar_subquery().label("rejected"),
)

_STATES = select(*(_number_of(state).label(state.value) for state in State))
