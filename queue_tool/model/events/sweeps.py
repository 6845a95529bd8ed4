"""What the sweeper puts right: what was lost between the database and Redis, and what comes with time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from queue_tool.model.events.shared import Reason, Tasks, Tickets
from queue_tool.model.telemetry import Event, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptUnpushed(Event):
    """Tickets that waited in the database were pushed to Redis."""

    title = "swept: pushed what waited"
    tickets: Tickets


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptLost(Event):
    """Workers died, and the tasks that they ran were taken back from them."""

    title = "swept: took back from dead workers"
    level = Level.WARNING
    workers: Annotated[int, "the number of workers that died"]
    tasks: Annotated[int, "the number of tasks that run again"]
    given_up: Annotated[int, "the number of tasks that are failed, because too many workers died under them"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptMissing(Event):
    """Tickets that should wait in Redis were missing there, and were pushed again."""

    title = "swept: pushed again what Redis had lost"
    level = Level.WARNING
    tickets: Tickets


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptDue(Event):
    """The time has come for tasks that were scheduled: they wait for a worker now."""

    title = "swept: let come what was due"
    level = Level.DEBUG
    tasks: Tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptOld(Event):
    """Ended tasks were removed, because their retention is over or somebody asked for it."""

    title = "swept: removed what was past its retention"
    tasks: Tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepFailed(Event):
    """One pass of the sweeper ended early; the next one comes by itself."""

    title = "sweep failed"
    level = Level.ERROR
    reason: Reason
