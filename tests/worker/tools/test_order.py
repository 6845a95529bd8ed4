"""The order in which tasks are claimed, and that a full lane does not block the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from queue_tool.model.states import State
from tests.worker.tools.place import ALL, Place

pytestmark = pytest.mark.sqlite  # the lists of Redis have the order, so once is enough


def test_with_one_slot_tasks_run_by_priority_and_then_in_their_order(place: Place, gate: Path) -> None:
    worker = place.start(CONCURRENCY="1")
    first = place.waiter("loop", gate)
    place.await_state([first], State.RUNNING)
    low = place.send("patient", [None] * 20)
    middle = place.sleepers(20)
    high = place.send("urgent", [None] * 20)
    gate.touch()
    place.await_state([first, *low, *middle, *high], State.FINISHED)
    claimed = [token for (token,) in place.rows("SELECT token FROM claims")]
    assert claimed == [first, *high, *middle, *low]
    place.stop(worker)


def test_a_full_lane_does_not_block_the_others(place: Place, gate: Path) -> None:
    worker = place.start(TASKS=ALL, ISOLATED="1")
    threads = place.send("waits.threads", [str(gate)] * 40)
    isolated = place.send("waits.isolated", [str(gate)] * 3)
    place.await_(lambda: place.count(State.RUNNING) == 33)  # by default 32 threads
    others = [*place.sleepers(100), *place.send("urgent", [None]), *place.send("patient", [None])]
    place.await_state(others, State.FINISHED)
    waiting = [*place.send("urgent.in-a-thread", [None]), *place.send("patient.alone", [None])]
    assert place.tokens(State.QUEUED) == {*threads[32:], *isolated[1:], *waiting}
    gate.touch()
    place.await_state([*threads, *isolated, *waiting], State.FINISHED)
    place.stop(worker)
    place.require_each_task_ended_once()
    place.require_clean_redis()
