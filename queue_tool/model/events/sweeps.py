"""Work of the sweeper: it repairs differences between the database and Redis, and does what is due."""

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
    """Workers died. Each task that they ran is queued again, or fails if too many processes have died with it."""

    title = "swept: took back from dead workers"
    level = Level.WARNING
    workers: Annotated[int, "the number of workers that died"]
    tasks: Annotated[int, "the number of tasks that run again"]
    given_up: Annotated[int, "the number of tasks that failed, because too many processes died while they ran them"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptMissing(Event):
    """Tickets were missing in Redis and were pushed again."""

    title = "swept: pushed again what Redis had lost"
    level = Level.WARNING
    tickets: Tickets


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptDue(Event):
    """The due time of scheduled tasks has come. They now wait for a worker."""

    title = "swept: queued what was due"
    level = Level.DEBUG
    tasks: Tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptOld(Event):
    """Ended tasks were removed, because their retention is over or a user requested it."""

    title = "swept: removed what was past its retention"
    tasks: Tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepFailed(Event):
    """One pass of the sweeper failed. The next pass starts by itself."""

    title = "sweep failed"
    level = Level.ERROR
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkSummed(Event):
    """What all processes did in a minute, if they did anything. Each sweeper logs it, some seconds after the minute."""

    title = "summary of a minute"
    submitted: Annotated[int, "the number of tasks that were stored"]
    refused: Annotated[int, "the number of elements that were refused"]
    finished: Annotated[int, "the number of tasks that finished"]
    failed: Annotated[int, "the number of tasks that failed"]
    canceled: Annotated[int, "the number of tasks that were canceled"]
    retried: Annotated[int, "the number of runs that failed and are retried"]
