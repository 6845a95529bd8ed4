"""How our worker and RQ's own workers obey a paused queue."""

from __future__ import annotations

import pytest

from queue_tool.model.queues import Priority
from queue_tool.model.states import State
from tests.support import LIMIT
from tests.worker.tools.place import Place


@pytest.mark.sqlite  # the database plays no part here, so once is enough
def test_our_worker_takes_nothing_from_a_paused_queue_until_it_is_resumed(place: Place) -> None:
    place.runtime.pause(Priority.NORMAL)
    sleepers = place.sleepers(50)
    place.start()
    urgent = place.send("urgent", [None] * 3)
    place.await_state(urgent, State.FINISHED)  # other queues continue
    assert place.queue().job_ids == sleepers  # nothing was taken, so nothing was refused
    place.runtime.pause.resume(Priority.NORMAL)
    place.await_state(sleepers, State.FINISHED)


@pytest.mark.sqlite  # the database plays no part here, so once is enough
def test_an_idle_worker_that_waits_for_a_queue_notices_its_pause(place: Place) -> None:
    worker = place.start()
    first = place.sleepers(1)
    place.await_state(first, State.FINISHED)
    place.await_forgotten(*first)
    place.runtime.pause(Priority.NORMAL)
    sent = place.sleepers(5)
    urgent = place.send("urgent", [None])
    place.await_state(urgent, State.FINISHED)
    assert place.count(State.QUEUED) == 5
    place.runtime.pause.resume(Priority.NORMAL)
    place.await_end_of(sent)
    place.stop(worker)
    place.require_each_task_ended_once()


def test_tickets_that_an_rq_worker_took_from_a_paused_queue_are_pushed_again_after_the_resume(place: Place) -> None:
    place.sweep()
    place.runtime.pause(Priority.NORMAL)
    sent = place.sleepers(3)
    stock = place.start_rq("-S", "json", "--burst", "default", kind="rq.worker.SimpleWorker")
    assert stock.wait(LIMIT) == 0
    assert place.queue().job_ids == []
    assert place.tokens(State.QUEUED) == set(sent)
    place.sweep()
    assert place.queue().job_ids == []
    place.runtime.pause.resume(Priority.NORMAL)
    place.sweep()
    assert place.queue().job_ids == sent
    place.start()
    place.await_state(sent, State.FINISHED)
    place.require_each_task_ended_once()


@pytest.mark.sqlite  # the database plays no part here, so once is enough
def test_a_worker_in_burst_mode_does_not_wait_for_a_paused_queue(place: Place) -> None:
    place.runtime.pause(Priority.NORMAL)
    sent = place.sleepers(3)
    worker = place.start_rq("-S", "json", "--burst", "high", "default")
    assert worker.wait(LIMIT) == 0, place.log
    assert place.queue().job_ids == sent
