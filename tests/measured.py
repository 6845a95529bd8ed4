"""Measures of hours that nobody waited for: as a busy system writes them, with failures, a backlog and a gap."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import delete, insert

from queue_tool.model import metrics
from queue_tool.model.metrics import Measure
from queue_tool.model.queues import Lane, Priority
from queue_tool.model.states import Code, State
from queue_tool.services.measures.gauges import Gauge
from queue_tool.services.measures.levels import measure_of
from queue_tool.services.measures.sums import Sums
from queue_tool.store import Store
from queue_tool.store.measure_tables import measures
from queue_tool.store.measures import minute_of, row_of

TYPES = {"sleep": (2.0, 0.5), "thumbnail": (0.12, 0.6), "report": (40.0, 0.8)}
"""Seconds of a run in the middle, and how much they spread, by task type."""

CODES = {Code.ERROR: 0.03, Code.TIMEOUT: 0.004, Code.WORKER_LOST: 0.001}
"""The share of runs that fail, by code."""


def measure(store: Store, now: datetime, minutes: int, *, gap: range = range(0)) -> None:
    """Write the measures of the minutes before now, in place of what was measured then.

    Args:
        store: where they are written.
        now: the end of the time.
        minutes: how many.
        gap: those in which the system was off, counted backwards from now.
    """
    chance, last = random.Random(7), minute_of(now)
    rows = [
        row_of(last - before, each)
        for before in range(minutes)
        if before not in gap
        for each in _minute(chance, (last - before) % 1440)
    ]
    with store.database.write() as connection:
        connection.execute(delete(measures).where(measures.c.minute > last - minutes, measures.c.minute <= last))
        connection.execute(insert(measures), rows)


def _minute(chance: random.Random, minute: int) -> Iterator[Measure]:
    busy = 0.55 + 0.4 * math.sin(minute / 140) + 0.1 * math.sin(minute / 9)
    sums = Sums()
    for task_type, (middle, spread) in TYPES.items():
        seconds = [chance.lognormvariate(math.log(middle), spread) for _ in range(round(40 * busy))]
        waits = [chance.lognormvariate(math.log(0.05 + 6 * busy**8), 1) for _ in seconds]
        sums.observe(metrics.RUN_SECONDS, seconds, task_type)
        sums.observe(metrics.WAIT_SECONDS, waits, task_type)
        for code, share in CODES.items():
            failed = sum(chance.random() < share for _ in seconds)
            sums.count(metrics.ENDED, failed, State.FAILED.value, code.value, task_type)
        sums.count(metrics.ENDED, len(seconds), State.FINISHED.value, "", task_type)
    sums.count(metrics.ENDED, minute % 40 == 0 and 12, State.CANCELED.value)
    yield from sums.take()
    yield from (measure_of(gauge) for gauge in _gauges(busy) if gauge.value or gauge.metric is metrics.WAITING)


def _gauges(busy: float) -> Iterator[Gauge]:
    waiting: dict[Priority, float] = {
        Priority.HIGH: 0,
        Priority.NORMAL: round(900 * max(0.0, busy - 0.6)),
        Priority.LOW: round(4000 * max(0.0, busy - 0.4)),
    }
    for priority, number in waiting.items():
        yield Gauge(metric=metrics.WAITING, labels=(priority.queue,), value=number)
        yield Gauge(metric=metrics.AGE, labels=(priority.queue,), value=number / 15)
    slots: dict[Lane, tuple[int, float]] = {Lane.LOOP: (10_000, 0.1), Lane.THREADS: (32, 0.9), Lane.ISOLATED: (4, 0.6)}
    for lane, (number, share) in slots.items():
        yield Gauge(metric=metrics.SLOTS, labels=(lane.value,), value=number)
        yield Gauge(metric=metrics.BUSY_SLOTS, labels=(lane.value,), value=round(number * min(1.0, share * busy)))
    yield Gauge(metric=metrics.PROCESSES, labels=("busy",), value=2 if busy > 0.3 else 1)
    yield Gauge(metric=metrics.PROCESSES, labels=("idle",), value=0 if busy > 0.3 else 1)
