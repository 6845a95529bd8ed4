"""Chores: what a sweeper must do now, asked in one question. Without work the answer is no, every second."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import exists, literal_column, or_, select

from queue_tool.model.states import State
from queue_tool.store.engine.database import Database, micros
from queue_tool.store.engine.lookup import Lookup
from queue_tool.store.idempotency import IS_OLD, oldest_kept
from queue_tool.store.open_batches import IDLE
from queue_tool.store.parts import BEING_PUSHED
from queue_tool.store.tables import batches, in_state, windows
from queue_tool.store.tickets import BY_SENDERS, IS_UNPUSHED
from queue_tool.store.ticks import IS_DUE
from queue_tool.store.upkeep import DUE, HELD, LATE

_CHORES = (
    exists().where(in_state(State.RUNNING)),  # its worker may be gone
    exists().where(IS_DUE),
    LATE.exists(),
    DUE.exists(),
    exists().where(IS_OLD),
    IDLE.exists(),
    HELD.exists(),
    exists().where(IS_UNPUSHED),
    BY_SENDERS.exists(),
    exists().where(batches.c.pushed_at.is_(None)),
    BEING_PUSHED.exists(),
    exists().where(windows.c.list.is_not(None)),
)
"""The conditions of the steps that a sweeper leaves out if the answer is no, in any order."""


class Chores:
    """Whether a sweeper has anything to do."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._any = Lookup(database, select(literal_column("1").label("found")).where(or_(*_CHORES)))

    def any(self, now: datetime, patience: timedelta) -> bool:
        """Return whether a step of the sweeper may find something in the database.

        Args:
            now: the current time.
            patience: how long an open batch may get no elements.

        Raises:
            StoreAway: the database cannot be reached.
        """
        times = {"now": micros(now), "before": oldest_kept(now), "patience": patience // timedelta(microseconds=1)}
        return self._any.first(**times, most=1) is not None
