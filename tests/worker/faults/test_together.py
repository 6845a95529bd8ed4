"""Two workers on the same lists under load: every task is claimed once and ended once, however often it was pushed."""

from __future__ import annotations

from rq.suspension import resume, suspend

from queue_tool.tasks import State, Ticket
from tests.worker.faults.site import Site

TASKS = 20_000


def test_two_workers_share_a_load_and_drop_what_was_pushed_twice(site: Site) -> None:
    workers = [site.start(), site.start()]
    suspend(site.redis)
    site.await_(lambda: len(site.keys("rq:worker:*")) == len(workers))
    sent = site.sleepers(TASKS)
    twice = [Ticket(token=token, run=1, list="default", task_type="sleep") for token in sent[::10]]
    site.runtime.broker.push(twice)
    resume(site.redis)
    site.await_(lambda: site.count(State.FINISHED))
    site.runtime.broker.push(twice)  # of some the run is over, of others it goes on
    site.await_end()
    site.await_(lambda: not site.keys("rq:queue:default"))
    for worker in workers:
        site.stop(worker)
    assert site.tokens(State.FINISHED) == set(sent)
    assert site.rows("SELECT count(*), count(DISTINCT owner) FROM claims") == [(TASKS, 2)]
    assert site.rows("SELECT DISTINCT run, losses FROM tasks") == [(1, 0)]
    site.require_one_end_each()
    site.require_clean_redis()
