"""What the automatic rule sees: the age of what waits, and the larger one of two busy shares."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from queue_tool.host import processes
from queue_tool.model.clock import Clock
from queue_tool.model.heartbeat import Heartbeat, Slots
from queue_tool.model.new_task import Accepted
from queue_tool.model.queues import Lane, Priority
from queue_tool.model.scaling_rule import Load
from queue_tool.runtime import Runtime
from queue_tool.services.worker_load import WorkerLoad
from tests.runs import claim_runs

OWN = os.getpid()
LATER = 3600.0


def clock(*times: float) -> Clock:
    """Return a clock whose monotonic times are these, and whose time of day is an hour ahead."""
    monotonic: Iterator[float] = iter(times)
    return Clock(now=lambda: datetime.now(UTC) + timedelta(seconds=LATER), monotonic=lambda: next(monotonic))


def test_the_oldest_task_of_the_queues_that_are_not_paused_counts(runtime: Runtime) -> None:
    load = WorkerLoad(runtime.store, clock(0, 1, 2, 3))
    assert load([]) == Load(oldest=0.0, busy=1.0)  # without workers, nobody does what comes
    runtime.submit(["a"], runtime.of_type("uppercase"))
    assert LATER <= load([]).oldest < LATER + 60
    runtime.pause(Priority.NORMAL)
    assert load([]).oldest == 0.0


def test_workers_are_as_busy_as_their_busiest_lane(runtime: Runtime) -> None:
    load = WorkerLoad(runtime.store, clock(0, 1e9, 2e9))
    worker = runtime.owner.id()
    assert load([OWN]).busy == 0.0  # it has said nothing yet
    lanes = {Lane.LOOP: Slots(slots=100, busy=5), Lane.THREADS: Slots(slots=32, busy=8)}
    runtime.store.workers.beat(worker, Heartbeat(at=runtime.clock.now(), lanes=lanes))
    busy = load([OWN]).busy
    assert 0.25 <= busy < 0.26


def test_a_worker_that_calculates_is_busy_although_its_slots_are_free(runtime: Runtime) -> None:
    load = WorkerLoad(runtime.store, clock(0, 1, 1.01))
    load([OWN])
    before = processes.processor_time(OWN)
    while processes.processor_time(OWN) <= before + 0.01:  # it uses processor time until then
        pass
    assert load([OWN]).busy == 1.0
    assert processes.processor_time(2**22) == 0.0


def test_the_idlest_workers_are_those_with_the_fewest_running_tasks(runtime: Runtime) -> None:
    load = WorkerLoad(runtime.store, clock(0))
    first = runtime.owner.id()
    assert load.idlest([OWN]) == [OWN]
    other = replace(runtime.store.workers.details(runtime.clock.now())[0].process, pid=OWN + 1)
    second = runtime.store.workers.register(other, runtime.clock.now())
    assert load.idlest([OWN, OWN + 1]) == [OWN + 1, OWN]  # both do nothing, and the second one is newer
    (token,) = (
        each.token for each in runtime.submit([1], runtime.of_type("echo")).elements if isinstance(each, Accepted)
    )
    claim_runs(runtime.store, [(token, 1)], second, runtime.clock.now())
    assert load.idlest([OWN, OWN + 1]) == [OWN, OWN + 1]
    assert load.idlest([OWN + 2]) == []
    assert first != second
