"""Fills: batches take turns at the workers, whichever process fills their lists, and wherever it is killed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.conftest import RuntimeFactory
from tests.support import LIMIT
from tests.worker.faults.site import TASKS, Site

NARROW = {"MAX_PUSHED": "10", "CONCURRENCY": "7"}


@pytest.fixture
def narrow(tmp_path: Path, make_runtime: RuntimeFactory, redis: Redis, valkey_server: str) -> Iterator[Site]:
    """A site whose lists hold ten tickets."""
    made = Site(tmp_path, make_runtime(REDIS_URL=valkey_server, TASKS=TASKS, MAX_PUSHED="10"), redis, valkey_server)
    yield made
    made.kill_all()


def claimed(site: Site) -> list[str]:
    """Return the tokens in the order in which their first runs were claimed."""
    return [token for (token,) in site.rows("SELECT token FROM claims WHERE run = 1 ORDER BY rowid")]


@pytest.mark.sqlite  # on PostgreSQL the rows of the claims have no order; tests/contracts runs the fills on both
@pytest.mark.parametrize("step", ["before push", "before note", "after note"])
def test_a_worker_killed_while_it_fills_a_list_loses_nothing_and_keeps_the_order(narrow: Site, step: str) -> None:
    sent = narrow.sleepers(60)
    narrow.sweep()
    assert len(narrow.waiting()) == 10
    killed = narrow.start("-m", "tests.worker.faults.doomed", step, "2", **NARROW)
    assert killed.wait(LIMIT) == -signal.SIGKILL, narrow.log
    moved = {ticket.partition("-")[0] for ticket in narrow.started()}  # the sweeper pushes them again, at the end
    healthy = narrow.start(**NARROW)
    narrow.await_end()
    narrow.stop(healthy)
    assert [token for token in claimed(narrow) if token not in moved] == [token for token in sent if token not in moved]
    narrow.require_each_task_ended_once()
    narrow.require_clean_redis()
    assert narrow.rows("SELECT * FROM windows") == []


def test_two_workers_and_two_sweepers_that_fill_at_once_lose_nothing_even_if_redis_is_wiped(narrow: Site) -> None:
    for _ in range(4):
        narrow.sleepers(50)
    narrow.runtime.submit.single({"item": "a", "valor": 0}, narrow.runtime.of_type("sleep"))
    over, other = threading.Event(), narrow.runtime.sweep()

    def sweep() -> None:
        while not over.is_set():
            other()
            other.fill()

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    workers = [narrow.start(**NARROW) for _ in range(2)]
    try:
        narrow.await_(lambda: narrow.rows("SELECT count(*) FROM ends")[0][0] > 20)
        narrow.redis.flushall()
        narrow.await_end()
    finally:
        over.set()
        sweeper.join()
    for worker in workers:
        narrow.stop(worker)
    narrow.require_each_task_ended_once()
    narrow.require_clean_redis()
    assert narrow.rows("SELECT * FROM windows") == []


@pytest.mark.sqlite  # on PostgreSQL the rows of the claims have no order; tests/contracts runs the fills on both
def test_ten_tasks_behind_twenty_thousand_end_while_the_large_batch_runs(site: Site) -> None:
    large = site.sleepers(20_000, valor=0.01)
    small = site.sleepers(10, valor=0.01)
    site.start(CONCURRENCY="32")
    site.await_(lambda: not site.open() & set(small))
    assert site.open() & set(large)
    began = claimed(site)
    assert began.index(small[-1]) < 5000
    assert [token for token in began if token not in small] == large[: len(began) - 10]
