"""What a lane claims ahead: by the mean times of its task types, and nothing of a type that is slow or unknown."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

import pytest

from queue_tool.host.clock import CLOCK
from queue_tool.model.queues import Lane
from queue_tool.model.run import Run
from queue_tool.model.task import Claimed
from queue_tool.model.task_types import make_task_type
from queue_tool.worker.active_runs import ActiveRun
from queue_tool.worker.ahead import LATEST, LOOK_AHEAD, MOST, MUCH_TOO_SLOW, SLOW, WAIT, Ahead
from queue_tool.worker.inbox import Inbox
from queue_tool.worker.thread_executor import ThreadExecutor
from tests.support import LIMIT, eventually

pytestmark = pytest.mark.sqlite  # no database takes part

SLOTS = 4


class Thread:
    """A lane with threads, whose functions wait until the end of the test."""

    def __init__(self, slots: int = SLOTS) -> None:
        self.gate = threading.Event()  # set at the end of a test
        self.executor = ThreadExecutor(slots, "thread", Inbox(CLOCK))
        self.ahead = Ahead(self.executor)
        self.began = CLOCK.monotonic()
        self._count = 0

    def runs(self, *task_types: str) -> list[ActiveRun]:
        """Return claimed runs of tasks of these types."""
        return [self._run(task_type) for task_type in task_types]

    def accept(self, runs: Sequence[ActiveRun], free: int) -> list[ActiveRun]:
        """Start the claimed runs that may start or wait; return the others."""
        refused = self.ahead.refused(runs, free)
        self.executor.start(active.run for active in runs if active not in refused)
        return refused

    def _run(self, task_type: str) -> ActiveRun:
        self._count += 1
        task = Claimed(
            token=f"{self._count:032}", run=1, attempt=1, task_type=task_type, data="null", started_at=CLOCK.now()
        )
        run = Run(task=task, task_type=make_task_type(task_type, lambda _: self.gate.wait(LIMIT)))
        return ActiveRun(run.ticket, "default-threads", Lane.THREADS, run, self.began)


def test_a_lane_claims_what_it_will_begin_soon_and_nothing_where_functions_are_slow_or_unknown() -> None:
    lane = Thread()
    ahead, now = lane.ahead, lane.began
    assert ahead.room(SLOTS, now) == SLOTS  # nothing is known
    assert ahead.refused(lane.runs("fast", "fast"), SLOTS) == []
    assert ahead.room(2, now) == 2  # none of them has ended
    ahead.ended("fast", 0.001)
    assert ahead.room(2, now) == 2 + round(SLOTS * LOOK_AHEAD / 0.001)
    assert ahead.refused(lane.runs("unknown"), 2) == []
    assert ahead.room(1, now) == 1
    ahead.ended("unknown", SLOW)
    assert 1 < ahead.room(1, now) < 1 + SLOTS * LOOK_AHEAD / 0.001
    ahead.ended("unknown", 1)
    assert ahead.room(1, now) == 1
    ahead.refused(lane.runs(*["fast"] * LATEST), LATEST)  # what is claimed now is fast again
    for _ in range(LATEST):
        ahead.ended("fast", 0.0)
    assert ahead.room(-MOST, now) == 0


def test_slow_and_unknown_types_do_not_wait_for_a_slot_and_fast_ones_do() -> None:
    lane = Thread()
    lane.ahead.ended("fast", 0.001)
    lane.ahead.ended("slow", MUCH_TOO_SLOW + SLOW)
    runs = lane.runs("slow", "fast", "slow", "fast", "unknown", "fast")
    assert lane.accept(runs, free=1) == [runs[2], runs[4]]
    assert lane.ahead.room(0, lane.began) == 0  # they are next, so the next claim is for free slots
    assert lane.accept(lane.runs("slow"), free=1) == []
    assert lane.ahead.all_waiting() == [runs[1], runs[3], runs[5]]
    lane.gate.set()


def test_with_one_slot_the_order_stays() -> None:
    lane = Thread(slots=1)
    lane.ahead.ended("fast", 0.001)
    runs = lane.runs("fast", "fast", "slow", "fast")
    assert lane.accept(runs, free=1) == runs[2:]
    lane.gate.set()


def test_what_waits_too_long_is_taken_back_with_all_that_waits_behind_it_and_a_busy_lane_claims_nothing_ahead() -> None:
    lane = Thread()
    for _ in range(LATEST):
        lane.ahead.ended("fast", 0.001)
    first = lane.runs(*["fast"] * (SLOTS + 2))
    lane.accept(first, free=SLOTS)
    lane.began += WAIT / 2
    later = lane.runs("fast")
    lane.accept(later, free=-2)
    eventually(lambda: lane.executor.busy_since(math.inf) == SLOTS)
    oldest = first[0].began
    assert lane.ahead.next_moment() == oldest + WAIT
    assert lane.ahead.overdue(oldest) == []
    waiting = lane.ahead.overdue(oldest + WAIT)
    assert waiting == [*first[SLOTS:], *later]
    assert all(lane.executor.withdraw(active.ticket) for active in waiting)
    assert not any(lane.executor.withdraw(active.ticket) for active in [*first[:SLOTS], *waiting])
    assert (lane.ahead.overdue(math.inf), lane.ahead.next_moment()) == ([], math.inf)
    lane.accept(lane.runs(), free=0)
    assert lane.ahead.room(0, math.inf) == 0  # every thread has been busy with one function all the time
    lane.gate.set()
