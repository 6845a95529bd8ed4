"""Pace: how fast a batch is worked on, and how long it still takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from queue_tool.model.batch import Batch
from queue_tool.model.batch_ends import BatchEnds

FEWEST = 5
"""Known ends of tasks from which on the latest ones say more than the average."""

LATEST = 20
"""The least number of ends that count as the latest ones, if there are so many."""

SHARE = 5
"""Of many known ends, the latest fifth counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a batch is worked on."""

    took: float  # seconds since it was sent; until its end, if it has ended
    rate: float  # ended tasks in a second
    left: float | None  # seconds until its end at this rate; None: unknown, or it has ended


def pace_of(batch: Batch, now: datetime) -> Pace:
    """Return how fast a batch is worked on, on average since it was sent."""
    took = max(0.0, ((batch.finished_at or now) - batch.created_at).total_seconds())
    return _pace(batch, took, (batch.accepted - batch.open) / took if took else 0.0)


def recent_pace(batch: Batch, ends: BatchEnds, now: datetime) -> Pace:
    """Return how fast a batch is worked on lately: it may have waited long before its first task began.

    Of a batch that has ended, it is the average.
    """
    pace = pace_of(batch, now)
    if batch.finished_at is not None or len(ends.ends) < FEWEST:
        return pace
    latest = sorted(at for _, at in ends.ends)[-max(LATEST, len(ends.ends) // SHARE) :]
    seconds = max(now.timestamp() - latest[0], 0.001)
    return _pace(batch, pace.took, len(latest) * batch.accepted / ends.looked_at / seconds)


def _pace(batch: Batch, took: float, rate: float) -> Pace:
    left = batch.open / rate if rate and batch.finished_at is None and not batch.is_open else None
    return Pace(took=took, rate=rate, left=left)
