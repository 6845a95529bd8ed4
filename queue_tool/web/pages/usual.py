"""How the run of a task compares with other runs of its type: the numbers of a sentence and of a small bar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from queue_tool.model.details import Details
from queue_tool.model.states import State
from queue_tool.services.measures.summary import Usual

WIDTH = 1000
"""The width of the bar, which the browser stretches."""

ROOM = 1.06
"""How much longer the bar is than the longest of its times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The usual times of a type in seconds, and the places of all times in the bar."""

    usual: Usual
    median: int
    p95: int
    took: int  # the place of this run; 0 if it has not begun


def compared(task: Details, usual: Usual | None, now: datetime) -> Compared | None:
    """Return how long the run of a task takes or took beside the usual times; None if nobody knows what is usual."""
    if usual is None:
        return None
    took = _seconds(task, now)
    longest = max(usual.p95, took) * ROOM
    if not longest:
        return None
    median, p95, place = (round(WIDTH * seconds / longest) for seconds in (usual.median, usual.p95, took))
    return Compared(usual=usual, median=median, p95=p95, took=place)


def _seconds(task: Details, now: datetime) -> float:
    if task.state is State.RUNNING and task.started_at is not None:
        return max(0.0, (now - task.started_at).total_seconds())
    return task.duration or 0.0
