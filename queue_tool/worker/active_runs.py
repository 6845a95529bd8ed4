"""The active runs of a worker: what it has claimed, in which lane, and which slots are free."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from queue_tool.model.queues import Lane
from queue_tool.model.run import Run

SHOWN_AFTER = 0.1
"""Seconds after which a run is worth being shown to RQ's tools."""

MOST_STALE = 1000
"""Deadlines of runs that have ended which are kept beside the others."""


@dataclass(slots=True)
class ActiveRun:
    """A run that this worker has claimed and not recorded yet."""

    ticket: str  # its id
    list: str  # from which the ticket was taken
    lane: Lane
    run: Run
    began: float  # monotonic
    shown: bool = False  # whether RQ's tools see it


class ActiveRuns:
    """Runs by their tickets. A slot is taken until its function returns, also when the run was abandoned."""

    def __init__(self, slots: Mapping[Lane, int]) -> None:
        """Start with every slot free."""
        self._slots = slots
        self._active: dict[str, ActiveRun] = {}
        self._abandoned: dict[str, Lane] = {}
        self._busy = dict.fromkeys(slots, 0)
        self._young: deque[ActiveRun] = deque()
        self._deadlines: list[tuple[float, str]] = []

    def __len__(self) -> int:
        """Return how many runs are active."""
        return len(self._active)

    def __contains__(self, ticket: object) -> bool:
        """Tell whether a ticket's run is active."""
        return ticket in self._active

    def __iter__(self) -> Iterator[ActiveRun]:
        """Return all that are active."""
        return iter(list(self._active.values()))

    def get(self, ticket: str) -> ActiveRun | None:
        """Return a ticket's run, if it is active."""
        return self._active.get(ticket)

    def room(self, lane: Lane) -> int:
        """Return how many slots of a lane are free."""
        return self._slots[lane] - self._busy[lane]

    def is_stuck(self, lane: Lane) -> bool:
        """Tell whether every slot of a lane is taken by a function that nobody waits for any more."""
        if lane not in self._slots or len(self._abandoned) < self._slots[lane] or self.room(lane):
            return False
        return list(self._abandoned.values()).count(lane) == self._slots[lane]

    def add(self, active: ActiveRun) -> None:
        """Take a slot for a run."""
        self._active[active.ticket] = active
        self._busy[active.lane] += 1
        self._young.append(active)
        timeout = active.run.timeout
        if timeout is not None and active.lane is not Lane.ISOLATED:  # there it counts from the birth of the process
            heapq.heappush(self._deadlines, (active.began + timeout, active.ticket))
            if len(self._deadlines) > 2 * len(self._active) + MOST_STALE:
                self._forget_stale_deadlines()

    def returned(self, ticket: str) -> ActiveRun | None:
        """Free the slot of a function that has returned; return its run, unless it was abandoned."""
        active = self._active.pop(ticket, None)
        lane = active.lane if active is not None else self._abandoned.pop(ticket)
        self._busy[lane] -= 1
        return active

    def abandon(self, active: ActiveRun) -> None:
        """Wait no longer for a run; its slot stays taken until its function returns."""
        del self._active[active.ticket]
        self._abandoned[active.ticket] = active.lane

    def overdue(self, now: float) -> Iterator[ActiveRun]:
        """Return the runs whose deadline has passed; they are active still."""
        while self._deadlines and self._deadlines[0][0] <= now:
            active = self._active.get(heapq.heappop(self._deadlines)[1])
            if active is not None:
                yield active

    def unshown(self, now: float) -> list[ActiveRun]:
        """Return the runs that have become worth showing."""
        found: list[ActiveRun] = []
        while self._young and self._young[0].began + SHOWN_AFTER <= now:
            active = self._young.popleft()
            if active.ticket in self._active:
                found.append(active)
        return found

    def next_event(self) -> float | None:
        """Return when a run becomes overdue or worth showing; None if none will."""
        times = [self._deadlines[0][0]] if self._deadlines else []
        while self._young and self._young[0].ticket not in self._active:
            self._young.popleft()
        if self._young:
            times.append(self._young[0].began + SHOWN_AFTER)
        return min(times, default=None)

    def _forget_stale_deadlines(self) -> None:
        """Drop the deadlines of runs that have ended: they would stay until they had passed."""
        self._deadlines = [deadline for deadline in self._deadlines if deadline[1] in self._active]
        heapq.heapify(self._deadlines)
