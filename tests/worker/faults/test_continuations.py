"""Workers that die around the end of a batch: what follows runs once, in each lane, and reads all results."""

from __future__ import annotations

import json
import signal

from queue_tool.model.new_task import Accepted
from queue_tool.model.states import State
from tests.support import LIMIT
from tests.worker.faults import follows
from tests.worker.faults.follows import LANES
from tests.worker.faults.site import Site

COUNT = 150


def test_what_follows_is_made_once_if_workers_die_at_the_end_of_the_batch_and_reads_it_in_each_lane(site: Site) -> None:
    system = site.runtime
    batch = system.submit(
        list(range(COUNT)),
        system.of_type("echo"),
        on_finished=[{"task_type": f"follows.{lane}", "data": None} for lane in LANES],
    )
    tokens = [element.token for element in batch.elements if isinstance(element, Accepted)]
    assert batch.batch is not None
    for step in ("after claim", "before follow"):
        killed = site.start("-m", "tests.worker.faults.doomed", step, "1", TASKS=follows.__name__)
        assert killed.wait(LIMIT) == -signal.SIGKILL, site.log
        site.sweep()
    healthy = site.start(TASKS=follows.__name__)
    site.await_(lambda: system.ask.batch(batch.batch or "").finished_at is not None)
    made = [each.tokens for each in system.ask.batch(batch.batch).on_finished]
    assert [len(each) for each in made] == [1] * len(LANES)
    site.await_end()
    site.stop(healthy)
    assert site.rows("SELECT count(*) FROM tasks") == [(len(tokens) + len(LANES),)]
    results = [[number, "finished", number] for number in range(COUNT)]
    for (token,) in made:
        task = site.task(token)
        assert (task.state, json.loads(task.result or "null")) == (State.FINISHED, [batch.batch, results])
    site.require_each_task_ended_once()
    site.require_clean_redis()
