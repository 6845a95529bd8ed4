"""Gauges: what is true at the moment of a scrape. Each count reads entries of an index, and no rows of ended tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from queue_tool.model import metrics
from queue_tool.model.metrics import Metric
from queue_tool.model.queues import Lane
from queue_tool.model.version import VERSION
from queue_tool.store import Process, Store, WorkerDetails

SILENT_AFTER = 18.0
"""Seconds without a heartbeat after which a worker counts as silent. A sweeper suspects that it is dead."""


class WorkerState(StrEnum):
    """What a worker does."""

    IDLE = "idle"  # it waits for tasks
    BUSY = "busy"  # it runs tasks
    SILENT = "silent"  # its heartbeats do not arrive
    TROUBLED = "troubled"  # it says why it cannot do its work


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """One value of a gauge."""

    metric: Metric
    labels: tuple[str, ...] = ()  # the values, in the order of the metric's labels
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """Counts what is true now."""

    store: Store
    lives_here: Callable[[Process], bool | None]

    def __call__(self, now: datetime) -> list[Gauge]:
        """Return all gauges.

        Raises:
            StoreAway: the database is busy or away.
        """
        found = [Gauge(metric=metrics.INFO, labels=(VERSION,), value=1)]
        return [*found, *self._of_queues(now), *self._of_states(), *_of_workers(self.workers(now))]

    def levels(self, now: datetime) -> list[Gauge]:
        """Return the gauges that charts show over time: those of queues, then those of workers.

        Raises:
            StoreAway: the database is busy or away.
        """
        return [*self._of_queues(now), *_of_workers(self.workers(now))]

    def workers(self, now: datetime) -> Sequence[WorkerDetails]:
        """Return the workers that may be alive: those that are not known to be dead.

        Raises:
            StoreAway: the database is busy or away.
        """
        return [each for each in self.store.workers.details(now) if self.lives_here(each.process) is not False]

    def _of_queues(self, now: datetime) -> Iterator[Gauge]:
        for queue in self.store.queues.counts():
            labels = (queue.priority.queue,)
            age = 0.0 if queue.oldest is None else max(0.0, (now - queue.oldest).total_seconds())
            yield Gauge(metric=metrics.WAITING, labels=labels, value=queue.waiting)
            yield Gauge(metric=metrics.RUNNING, labels=labels, value=queue.running)
            yield Gauge(metric=metrics.AGE, labels=labels, value=age)
            yield Gauge(metric=metrics.PAUSED, labels=labels, value=queue.paused_at is not None)

    def _of_states(self) -> Iterator[Gauge]:
        counts = self.store.measures.counts()
        yield Gauge(metric=metrics.SCHEDULED, value=counts.scheduled)
        yield Gauge(metric=metrics.DEAD_LETTERS, value=counts.failed)
        yield Gauge(metric=metrics.OPEN_BATCHES, value=counts.open_batches)


def state_of(worker: WorkerDetails) -> WorkerState:
    """Return what a worker does, as far as its last heartbeat and its tasks say it."""
    if worker.trouble is not None:
        return WorkerState.TROUBLED
    if worker.lanes and worker.silence is not None and worker.silence > SILENT_AFTER:
        return WorkerState.SILENT
    return WorkerState.BUSY if worker.running else WorkerState.IDLE


def _of_workers(workers: Sequence[WorkerDetails]) -> Iterator[Gauge]:
    states = Counter(state_of(worker) for worker in workers)
    for state in WorkerState:
        yield Gauge(metric=metrics.PROCESSES, labels=(state.value,), value=states[state])
    for lane in Lane:
        slots = [worker.lanes[lane] for worker in workers if lane in worker.lanes]
        yield Gauge(metric=metrics.SLOTS, labels=(lane.value,), value=sum(each.slots for each in slots))
        yield Gauge(metric=metrics.BUSY_SLOTS, labels=(lane.value,), value=sum(each.busy for each in slots))
