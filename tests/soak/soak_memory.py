"""The memory of a worker does not grow over many tasks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.conftest import RuntimeFactory
from tests.worker.faults.site import TASKS, Site, mebibytes

ROUND = 10_000
"""The number of tasks in one round."""


@pytest.fixture
def site(tmp_path: Path, make_runtime: RuntimeFactory, redis: Redis, valkey_server: str) -> Iterator[Site]:
    """A site with this test's store and the session's Valkey; its workers are killed after the test."""
    made = Site(tmp_path, make_runtime(REDIS_URL=valkey_server, TASKS=TASKS), redis, valkey_server)
    yield made
    made.kill_all()


def test_a_hundred_thousand_tasks_leave_no_memory_and_no_keys_behind(site: Site) -> None:
    worker = site.start_cold()
    sizes = []
    for _ in range(10):
        site.sleepers(ROUND - 3000)
        site.send("hard.thread", ["a result"] * 1000)
        site.send("hard.loop", ["exit"] * 1000)
        site.send("hard.too-long", range(1000))
        site.await_end(within=100)
        sizes.append(mebibytes(worker.pid))
    site.stop(worker)
    assert sizes[-1] - sizes[0] < 20, sizes
    assert site.rows("SELECT count(*), max(run) FROM ends") == [(10 * ROUND, 1)]
    site.require_each_task_ended_once()
    site.require_clean_redis()
