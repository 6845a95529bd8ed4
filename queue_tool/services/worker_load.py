"""Worker load: how long tasks wait, and how busy the workers of a supervisor are. The automatic rule decides by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime

from queue_tool.host import processes
from queue_tool.model.clock import Clock
from queue_tool.model.queues import Lane
from queue_tool.model.scaling_rule import Load
from queue_tool.store import Store, WorkerDetails


class WorkerLoad:
    """Looks at the workers of one supervisor of this machine."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Start without a look."""
        self._store = store
        self._clock = clock
        self._seen = clock.monotonic()
        self._used: Mapping[int, float] = {}  # seconds of processor time until the last look, by pid

    def __call__(self, pids: Collection[int]) -> Load:
        """Return the load since the last look.

        Args:
            pids: the workers. Without any, the load counts as busy: nobody does what waits.

        Raises:
            StoreAway: the database is busy or away.
        """
        now = self._clock.now()
        share = max(self._share_of_slots(pids, now), self._share_of_processors(pids))
        return Load(oldest=self._oldest(now), busy=share if pids else 1.0)

    def idlest(self, pids: Collection[int]) -> list[int]:
        """Return these workers in the order of their running tasks, the fewest first; the newest of equals first.

        Raises:
            StoreAway: the database is busy or away.
        """
        found = self._own(pids, self._clock.now())
        return [each.process.pid for each in sorted(found, key=lambda each: (each.running, -each.id))]

    def _oldest(self, now: datetime) -> float:
        created = self._store.queues.oldest()
        return 0.0 if created is None else max(0.0, (now - created).total_seconds())

    def _share_of_slots(self, pids: Collection[int], now: datetime) -> float:
        """Return the share of taken slots in the busiest lane, at the last heartbeats."""
        slots: Counter[Lane] = Counter()
        busy: Counter[Lane] = Counter()
        for worker in self._own(pids, now):
            for lane, use in worker.lanes.items():
                slots[lane] += use.slots
                busy[lane] += use.busy
        return max((busy[lane] / number for lane, number in slots.items() if number), default=0.0)

    def _own(self, pids: Collection[int], now: datetime) -> list[WorkerDetails]:
        return [
            worker
            for worker in self._store.workers.details(now)
            if worker.process.pid in pids and worker.process.machine == processes.machine()
        ]

    def _share_of_processors(self, pids: Collection[int]) -> float:
        """Return which share of one processor each worker has used: one that calculates may have many free slots."""
        now, used = self._clock.monotonic(), {pid: processes.processor_time(pid) for pid in pids}
        seconds = sum(time - self._used.get(pid, time) for pid, time in used.items())
        passed, self._seen, self._used = now - self._seen, now, used
        return min(1.0, seconds / (passed * len(used))) if used and passed > 0 else 0.0
