"""Returns: what each lane claims ahead, and the runs that go back because they did not begin soon.

A run that goes back has not begun, so nothing is lost: its task is put back, with a new run and the same attempt, and
its new ticket goes to the head of its list.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from queue_tool.errors import StoreAway
from queue_tool.model.clock import Clock
from queue_tool.model.outcome import Outcome
from queue_tool.model.queues import Lane
from queue_tool.services.unfinished import put_back
from queue_tool.store import PushedTickets, Store
from queue_tool.worker.active_runs import ActiveRun, ActiveRuns
from queue_tool.worker.ahead import Ahead
from queue_tool.worker.executor import Executor
from queue_tool.worker.intake import Intake

AHEAD = frozenset({Lane.THREADS, Lane.ISOLATED})
"""The lanes that may claim ahead: their executors let runs wait for a slot."""

GATHER = 0.003
"""Seconds between two transactions while there is work. Runs that end in between share the next transaction."""

GATHER_FED = 0.02
"""The same while every busy lane has enough runs that wait: a transaction costs as much as some functions."""


class Returns:
    """Knows what waits for a slot, and takes it back. Only the pump calls it."""

    def __init__(self, *, active: ActiveRuns, ended: deque[tuple[Outcome, ActiveRun]], claims_ahead: bool) -> None:
        """Prepare.

        Args:
            active: the active runs.
            ended: receives the outcomes of the runs that go back.
            claims_ahead: whether lanes may claim more than their slots take. Then the executors must note what they
                have begun: if this worker dies, the rest is not charged with it.
        """
        self._active = active
        self._ended = ended
        self._executors = active.executors
        lanes = AHEAD if claims_ahead else frozenset()
        self._ahead = {lane: Ahead(executor) for lane, executor in active.executors.items() if lane in lanes}
        self._sharing: set[Lane] = set()  # lanes whose last claim brought only runs that may share a process
        self.count = 0  # runs that went back

    def room(self, lane: Lane, now: float) -> int:
        """Return how many runs a lane may claim now."""
        if not self._executors[lane].is_ready:  # another worker may begin them now
            return 0
        free, ahead = self._free(lane), self._ahead.get(lane)
        if ahead is None:
            return free
        return ahead.room(free, now) + (self._executors[lane].places if lane in self._sharing else 0)

    def accepted(self, lane: Lane, runs: Sequence[ActiveRun]) -> Sequence[ActiveRun]:
        """Return those of the claimed runs that may start, or wait for a slot. The others go back."""
        executor, ahead = self._executors[lane], self._ahead.get(lane)
        sharing = [active for active in runs if executor.shares(active.run)]
        if len(sharing) == len(runs):
            self._sharing.add(lane)
        else:
            self._sharing.discard(lane)
        placed = {active.ticket for active in sharing[: executor.places]}
        others = [active for active in runs if active.ticket not in placed] if placed else runs
        refused = ahead.refused(others, self._free(lane)) if ahead is not None else ()
        if not refused:
            return runs
        for active in refused:
            self._return(active)
        return [active for active in runs if not active.goes_back]

    def gather_until(self, last_write: float, now: float) -> float:
        """Return how long ends are gathered for the next transaction (monotonic). `last_write` is the last one."""
        are_fed = all(self._is_fed(lane, executor, now) for lane, executor in self._executors.items())
        return last_write + (GATHER_FED if are_fed else GATHER)

    def note_end(self, active: ActiveRun, seconds: float) -> None:
        """Note how long the function of a run took."""
        ahead = self._ahead.get(active.lane)
        if ahead is not None:
            ahead.ended(active.run.task.task_type, seconds)

    def return_overdue(self, now: float) -> None:
        """Take back what has waited too long, and what waits behind it, so that the order stays."""
        for lane, ahead in self._ahead.items():
            self._withdraw(lane, ahead.overdue(now))

    def return_all(self) -> None:
        """Take back all runs that wait for a slot, because this worker ends."""
        for lane, ahead in self._ahead.items():
            self._withdraw(lane, ahead.all_waiting())

    def next_moment(self) -> float:
        """Return when a run will have waited too long (monotonic)."""
        return min((ahead.next_moment() for ahead in self._ahead.values()), default=math.inf)

    def _free(self, lane: Lane) -> int:
        return self._active.free_slots(lane) + self._executors[lane].companions

    def _is_fed(self, lane: Lane, executor: Executor, now: float) -> bool:
        free, ahead = self._active.free_slots(lane), self._ahead.get(lane)
        return free == executor.slots or (ahead is not None and ahead.is_fed(free, now))

    def _withdraw(self, lane: Lane, waiting: Sequence[ActiveRun]) -> None:
        for active in waiting:
            if active.ticket in self._active and self._executors[lane].withdraw(active.ticket):
                self._active.release(active.ticket)
                self._return(active)

    def _return(self, active: ActiveRun) -> None:
        active.goes_back = True
        self.count += 1
        self._ended.append((put_back(active.run, begun=False), active))


def put_at_heads(store: Store, intake: Intake, clock: Clock, runs: Sequence[ActiveRun]) -> None:
    """Put the next runs of tasks that were put back at the heads of their lists, and record it.

    If Redis or the store is away, the sweeper pushes them, at the ends of the lists.
    """
    tickets = intake.return_runs(runs)
    if tickets:
        with suppress(StoreAway):
            store.additions.record_pushed(PushedTickets(at=clock.now(), tickets=tickets))
