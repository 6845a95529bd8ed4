"""Claimed ahead: what a worker claims before a slot is free, so that no slot waits for the pump.

A cycle of the pump takes milliseconds, and a short function takes less. So a lane with short functions claims what it
will have begun before the next cycles. What does not begin soon goes back to the head of its list.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from queue_tool.model.run import Run
from queue_tool.worker.active_runs import ActiveRun
from queue_tool.worker.executor import Executor
from queue_tool.worker.means import Means

LOOK_AHEAD = 0.05
"""Seconds of work that a lane claims ahead."""

SLOW = 0.02
"""Seconds. A lane whose functions take longer claims nothing ahead: a cycle of the pump makes no difference then."""

MUCH_TOO_SLOW = 5 * SLOW
"""Seconds. A run of a type that takes longer does not wait for a slot. This is more than `SLOW`, since a busy machine
may make a fast type slow for a moment, and what goes back costs a transaction."""

MOST = 500
"""The most runs that wait for a slot in one lane."""

WAIT = 1.0
"""Seconds that a claimed run may wait for a slot."""

LATEST = 64
"""How many of the latest claimed runs show what the next ones will be."""


class Ahead:
    """What one lane claims ahead, by the mean times of its task types. A type that has not ended yet counts as slow."""

    def __init__(self, executor: Executor) -> None:
        """Start without knowledge: nothing is claimed ahead.

        Args:
            executor: the executor of the lane.
        """
        self._executor = executor
        self._means = Means()
        self._latest: deque[str] = deque(maxlen=LATEST)  # task types
        self._waiting: deque[ActiveRun] = deque()  # runs that may still wait for a slot, the oldest first
        self._pauses = False  # runs went back, so the next claim is for free slots only

    def ended(self, task_type: str, seconds: float) -> None:
        """Note how long the function of a run took."""
        self._means.ended(task_type, seconds)

    def room(self, free: int, now: float) -> int:
        """Return how many runs may be claimed now.

        Args:
            free: the free slots; below zero while runs wait for a slot.
            now: the present time (monotonic).
        """
        return free + self._most(now)

    def is_fed(self, free: int, now: float) -> bool:
        """Return whether at least half of what may wait for a slot does so.

        Args:
            free: the free slots; below zero while runs wait for a slot.
            now: the present time (monotonic).
        """
        return -2 * free >= self._most(now) > 0

    def refused(self, runs: Sequence[ActiveRun], free: int) -> list[ActiveRun]:
        """Return those of the claimed runs that must not wait for a slot. Note the others, which are started now.

        Args:
            runs: the runs, in their order.
            free: the free slots; below zero while runs wait for a slot.
        """
        if not runs:
            return []
        self._pauses = False
        self._latest.extend(active.run.task.task_type for active in runs)
        waiting = runs[max(0, free) :]
        slow = next((number for number, active in enumerate(waiting) if self._is_slow(active.run)), None)
        if slow is None:
            self._waiting += waiting
            return []
        self._pauses = True
        if self._executor.slots == 1:  # who has one slot may count on the order
            self._waiting += waiting[:slow]
            return list(waiting[slow:])
        self._waiting += (active for active in waiting if not self._is_slow(active.run))
        return [active for active in waiting if self._is_slow(active.run)]

    def overdue(self, now: float) -> list[ActiveRun]:
        """Return all runs that may wait for a slot if the oldest has waited too long. Each is returned once."""
        self._drop_begun()
        if not self._waiting or now < self._waiting[0].began + WAIT:
            return []
        return self.all_waiting()

    def all_waiting(self) -> list[ActiveRun]:
        """Return all runs that may wait for a slot. Each is returned once."""
        found = list(self._waiting)
        self._waiting.clear()
        self._pauses = self._pauses or bool(found)
        return found

    def next_moment(self) -> float:
        """Return when the oldest waiting run has waited too long (monotonic)."""
        self._drop_begun()
        return self._waiting[0].began + WAIT if self._waiting else math.inf

    def _most(self, now: float) -> int:
        """Return how many runs may wait for a slot."""
        if self._pauses or not self._latest:
            return 0
        mean = sum(map(self._means.of, self._latest)) / len(self._latest)
        if mean > SLOW:
            return 0
        moving = max(0, self._executor.slots - self._executor.busy_since(now - LOOK_AHEAD))
        return min(MOST, int(moving * LOOK_AHEAD / max(mean, 1e-6)))

    def _is_slow(self, run: Run) -> bool:
        return self._means.of(run.task.task_type) > MUCH_TOO_SLOW

    def _drop_begun(self) -> None:
        """Forget the oldest runs that do not wait any more."""
        while self._waiting and not self._executor.waits(self._waiting[0].ticket):
            self._waiting.popleft()
