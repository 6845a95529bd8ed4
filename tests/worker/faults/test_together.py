"""Two workers on the same lists under load: each task is claimed once and ended once, even if it is pushed twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from rq.suspension import resume, suspend

from queue_tool.model.states import State
from queue_tool.model.ticket import Ticket
from tests.worker.faults.site import Site

TASKS = 20_000


def test_two_workers_share_a_load_and_drop_duplicate_tickets(site: Site) -> None:
    workers = [site.start(), site.start()]
    suspend(site.redis)
    site.await_(lambda: len(site.keys("rq:worker:*")) == len(workers))
    sent = site.sleepers(TASKS)
    twice = [Ticket(token=token, run=1, list="default", task_type="sleep") for token in sent[::10]]
    site.runtime.broker.push(twice)
    resume(site.redis)
    site.await_(lambda: site.count(State.FINISHED))
    site.runtime.broker.push(twice)  # some of these runs have ended, others still run
    site.await_end()
    site.await_(lambda: not site.keys("rq:queue:default"))
    for worker in workers:
        site.stop(worker)
    assert site.tokens(State.FINISHED) == set(sent)
    assert site.rows("SELECT count(*), count(DISTINCT owner) FROM claims") == [(TASKS, 2)]
    assert site.rows("SELECT DISTINCT run, losses FROM tasks") == [(1, 0)]
    site.require_each_task_ended_once()
    site.require_clean_redis()


@pytest.mark.sqlite  # the test above drops such duplicates on both databases
def test_a_duplicate_ticket_of_a_running_task_is_dropped(site: Site, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    worker = site.start()
    (token,) = site.send("hard.until", [str(gate)])
    site.await_(lambda: site.keys("rq:execution:*"))
    site.runtime.broker.push([Ticket(token=token, run=1, list="default", task_type="hard.until")])
    (after,) = site.sleepers(1)
    site.await_(lambda: site.task(after).state.ended and not site.waiting() and site.started() == {token})
    assert token in site.jobs()
    gate.touch()
    site.await_end()
    site.stop(worker)
    assert site.rows("SELECT token, run FROM claims") == [(token, 1), (after, 1)]
    site.require_each_task_ended_once()
    site.require_clean_redis()
