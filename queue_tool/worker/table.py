"""The table of a worker: which runs it holds, in which lane, and which slots are free."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from queue_tool.model.queues import Lane
from queue_tool.services.run import Started

SHOWN_AFTER = 0.1
"""Seconds after which a run is worth being shown to RQ's tools."""

MOST_STALE = 1000
"""Deadlines of runs that have ended which are kept beside the others."""


@dataclass(slots=True)
class Held:
    """A run whose function runs here."""

    ticket: str  # its id
    list: str  # from which the ticket was taken
    lane: Lane
    started: Started
    began: float  # monotonic
    shown: bool = False  # whether RQ's tools see it


class Table:
    """Runs by their tickets. A slot is taken until its function comes back, also when nobody waits for it."""

    def __init__(self, slots: Mapping[Lane, int]) -> None:
        """Start with every slot free."""
        self._slots = slots
        self._held: dict[str, Held] = {}
        self._given_up: dict[str, Lane] = {}
        self._busy = dict.fromkeys(slots, 0)
        self._young: deque[Held] = deque()
        self._deadlines: list[tuple[float, str]] = []

    def __len__(self) -> int:
        """Return how many runs are held."""
        return len(self._held)

    def __contains__(self, ticket: object) -> bool:
        """Tell whether a ticket's run is held."""
        return ticket in self._held

    def __iter__(self) -> Iterator[Held]:
        """Return all that are held."""
        return iter(list(self._held.values()))

    def room(self, lane: Lane) -> int:
        """Return how many slots of a lane are free."""
        return self._slots[lane] - self._busy[lane]

    def is_stuck(self, lane: Lane) -> bool:
        """Tell whether every slot of a lane is taken by a function that nobody waits for any more."""
        if lane not in self._slots or len(self._given_up) < self._slots[lane] or self.room(lane):
            return False
        return list(self._given_up.values()).count(lane) == self._slots[lane]

    def add(self, run: Held) -> None:
        """Take a slot for a run."""
        self._held[run.ticket] = run
        self._busy[run.lane] += 1
        self._young.append(run)
        if run.started.timeout is not None and run.lane is not Lane.ISOLATED:  # which counts from the process's birth
            heapq.heappush(self._deadlines, (run.began + run.started.timeout, run.ticket))
            if len(self._deadlines) > 2 * len(self._held) + MOST_STALE:
                self._forget_stale_deadlines()

    def came_back(self, ticket: str) -> Held | None:
        """Free the slot of a function that has returned; return its run, if anybody waits for it still."""
        run = self._held.pop(ticket, None)
        lane = run.lane if run is not None else self._given_up.pop(ticket)
        self._busy[lane] -= 1
        return run

    def give_up(self, ticket: str) -> Held | None:
        """Wait no longer for a run; its slot stays taken until its function returns."""
        run = self._held.pop(ticket, None)
        if run is not None:
            self._given_up[ticket] = run.lane
        return run

    def overdue(self, now: float) -> Iterator[Held]:
        """Return the runs whose deadline has passed; they are held still."""
        while self._deadlines and self._deadlines[0][0] <= now:
            run = self._held.get(heapq.heappop(self._deadlines)[1])
            if run is not None:
                yield run

    def unshown(self, now: float) -> list[Held]:
        """Return the runs that have become worth showing."""
        found: list[Held] = []
        while self._young and self._young[0].began + SHOWN_AFTER <= now:
            run = self._young.popleft()
            if run.ticket in self._held:
                found.append(run)
        return found

    def _forget_stale_deadlines(self) -> None:
        """Drop the deadlines of runs that have ended: they would stay until they had passed."""
        self._deadlines = [each for each in self._deadlines if each[1] in self._held]
        heapq.heapify(self._deadlines)

    def next_event(self) -> float | None:
        """Return when a run becomes overdue or worth showing; None if none will."""
        times = [self._deadlines[0][0]] if self._deadlines else []
        while self._young and self._young[0].ticket not in self._held:
            self._young.popleft()
        if self._young:
            times.append(self._young[0].began + SHOWN_AFTER)
        return min(times, default=None)
