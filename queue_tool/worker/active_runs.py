"""The active runs of a worker: what it has claimed, in which lane, and how many slots are free.

Each lane has an executor, which calls its functions.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from queue_tool.model.heartbeat import Slots
from queue_tool.model.queues import Lane
from queue_tool.model.run import Run
from queue_tool.worker.executor import Executor

SHOWN_AFTER = 0.1
"""Seconds that a run must last before RQ's tools see it."""

SHORTEST = 0.05
"""Seconds that are added to the deadline of a function that has not been called, so that it is not noted too often."""

MOST_STALE = 1000
"""How many deadlines of ended runs may stay in memory."""


@dataclass(slots=True)
class ActiveRun:
    """A run that this worker has claimed, and whose outcome is not recorded yet."""

    ticket: str  # the ticket's id
    list: str  # the list that the ticket came from
    lane: Lane
    run: Run
    began: float  # monotonic
    shown: bool = False  # whether RQ's tools see it
    goes_back: bool = False  # whether it goes back to the head of its list, because it did not begin soon


class ActiveRuns:
    """The active runs by ticket. A run keeps its slot until its function returns, even if the run is abandoned."""

    def __init__(self, executors: Mapping[Lane, Executor]) -> None:
        """Start with every slot free. `executors` has the executor of each lane."""
        self.executors = executors
        self._slots = slots = {lane: executor.slots for lane, executor in executors.items()}
        self._active: dict[str, ActiveRun] = {}
        self._abandoned: dict[str, Lane] = {}
        self._busy = dict.fromkeys(slots, 0)
        self._unshown: deque[ActiveRun] = deque()
        self._young: deque[tuple[float, ActiveRun]] = deque()  # unshown, with the moment when they were too young
        self._deadlines: list[tuple[float, str]] = []

    def __len__(self) -> int:
        """Return how many runs are active."""
        return len(self._active)

    def __contains__(self, ticket: object) -> bool:
        """Return whether a ticket's run is active."""
        return ticket in self._active

    def __iter__(self) -> Iterator[ActiveRun]:
        """Iterate over a copy of the active runs."""
        return iter(list(self._active.values()))

    def get(self, ticket: str) -> ActiveRun | None:
        """Return a ticket's run, or None if it is not active."""
        return self._active.get(ticket)

    def called_at(self, active: ActiveRun) -> float | None:
        """Return when the function of an active run was called (monotonic). None: it has not been called yet."""
        return self.executors[active.lane].called_at(active.ticket)

    def waits(self, active: ActiveRun) -> bool:
        """Return whether an active run waits for a slot."""
        return self.executors[active.lane].waits(active.ticket)

    def free_slots(self, lane: Lane) -> int:
        """Return how many slots of a lane are free. Below zero: so many runs wait for a slot."""
        return self._slots[lane] - self._busy[lane]

    def slots(self) -> dict[Lane, Slots]:
        """Return how many slots each lane has, and how many of them are taken. Any thread may call this."""
        return {lane: Slots(slots, min(slots, self._busy[lane])) for lane, slots in self._slots.items()}

    def is_stuck(self, lane: Lane) -> bool:
        """Return whether abandoned functions take every slot of a lane."""
        if lane not in self._slots or len(self._abandoned) < self._slots[lane] or self.free_slots(lane) > 0:
            return False
        return list(self._abandoned.values()).count(lane) >= self._slots[lane]

    def start(self, lane: Lane, runs: Sequence[ActiveRun]) -> None:
        """Take a slot for each of these runs of one lane, and pass them to its executor."""
        for active in runs:
            self._add(active)
        self.executors[lane].start([active.run for active in runs])

    def release(self, ticket: str) -> ActiveRun | None:
        """Free the slot of a function that has returned. Return its run, or None if the run was abandoned.

        A function may be reported twice, if its thread was ended from outside while it reported.
        """
        active = self._active.pop(ticket, None)
        lane = active.lane if active is not None else self._abandoned.pop(ticket, None)
        if lane is not None:
            self._busy[lane] -= 1
        return active

    def abandon(self, active: ActiveRun) -> None:
        """Abandon a run and try to stop its function. Its slot stays taken until the function returns."""
        del self._active[active.ticket]
        self._abandoned[active.ticket] = active.lane
        self.executors[active.lane].stop(active.ticket)

    def overdue(self, now: float) -> Iterator[ActiveRun]:
        """Yield the active runs whose deadline has passed. They stay active.

        A deadline counts from the call of the function. The call may come long after the claim, or not at all, if
        another function keeps the thread or the event loop busy. So a deadline is noted from the claim, and when it
        passes, it is noted again from the call.

        Args:
            now: the present time (monotonic).
        """
        while self._deadlines and self._deadlines[0][0] <= now:
            active = self._active.get(heapq.heappop(self._deadlines)[1])
            if active is None or active.run.timeout is None:
                continue
            called = self.called_at(active)
            deadline = (now + SHORTEST if called is None else called) + active.run.timeout
            if deadline > now:
                heapq.heappush(self._deadlines, (deadline, active.ticket))
            else:
                yield active

    def take_unshown(self, now: float) -> list[ActiveRun]:
        """Return the runs that lasted long enough to be shown. Each run is returned once.

        A run that waits for a slot is not shown, nor is one that has ended and whose end the pump will read soon.

        Args:
            now: the present time (monotonic).
        """
        old: list[ActiveRun] = []
        while self._unshown and self._unshown[0].began + SHOWN_AFTER <= now:
            old.append(self._unshown.popleft())
        while self._young and self._young[0][0] + SHOWN_AFTER <= now:
            old.append(self._young.popleft()[1])
        found: list[ActiveRun] = []
        for active in old:
            if active.ticket in self._active:
                called = self.called_at(active)
                if called is None or called + SHOWN_AFTER / 2 > now:
                    self._young.append((now, active))
                else:
                    found.append(active)
        return found

    def next_event(self) -> float | None:
        """Return when the next run becomes overdue or must be shown. None if no run will."""
        times = [self._deadlines[0][0]] if self._deadlines else []
        while self._unshown and self._unshown[0].ticket not in self._active:
            self._unshown.popleft()
        if self._unshown:
            times.append(self._unshown[0].began + SHOWN_AFTER)
        if self._young:
            times.append(self._young[0][0] + SHOWN_AFTER)
        return min(times, default=None)

    def _add(self, active: ActiveRun) -> None:
        self._active[active.ticket] = active
        self._busy[active.lane] += 1
        self._unshown.append(active)
        timeout = active.run.timeout
        if timeout is not None and active.lane is not Lane.ISOLATED:  # there it counts from the start of the process
            heapq.heappush(self._deadlines, (active.began + timeout, active.ticket))
            if len(self._deadlines) > 2 * len(self._active) + MOST_STALE:
                self._forget_stale_deadlines()

    def _forget_stale_deadlines(self) -> None:
        """Drop the deadlines of ended runs, which would otherwise stay in memory until they pass."""
        self._deadlines = [deadline for deadline in self._deadlines if deadline[1] in self._active]
        heapq.heapify(self._deadlines)
