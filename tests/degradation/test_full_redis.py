"""A full Redis (`maxmemory` with `noeviction`): it refuses only commands that need memory."""

from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import OutOfMemoryError

from queue_tool.broker.keys import MARKER
from queue_tool.errors import BrokerFull
from queue_tool.model import events
from queue_tool.model.states import State
from queue_tool.web import create_app
from tests.conftest import News
from tests.worker.faults.site import Site

FULL = BrokerFull.default_sentence()
BATCH = 300


@pytest.fixture
def full(site: Site) -> Site:
    """A site whose Redis has room for some hundreds of tickets and is full."""
    info: Any = site.redis.info("memory")
    site.redis.config_set("maxmemory", info["used_memory"] + 300_000)
    for _ in range(20):
        site.sleepers(BATCH)
        if is_full(site):
            return site
    raise AssertionError("Redis never became full")


def is_full(site: Site) -> bool:
    """Return whether Redis refuses to store anything."""
    try:
        site.redis.set("probe", "x" * 100)
    except OutOfMemoryError:
        return True
    site.redis.delete("probe")
    return False


def test_tasks_that_cannot_be_pushed_are_stored_and_each_process_warns_once(full: Site, news: News) -> None:
    before = len(news.of(events.PushPostponed))
    waiting = full.waiting()
    client = create_app(full.runtime).test_client()
    answer = client.post("/api", json=[{"item": "a", "valor": 0}])
    assert answer.status_code == 200
    assert [event.reason for event in news.of(events.PushPostponed)[before:]] == [FULL]
    for _ in range(10):
        full.sweep()
    assert news.of(events.Warned) == [events.Warned(reason=FULL)]
    assert full.waiting() == waiting
    ready = client.get("/health/ready").json
    assert ready is not None
    assert ready["checks"]["broker"] == "ok"  # it answers, and workers free memory


def test_a_worker_started_on_a_full_redis_empties_it_and_each_task_ends_once(full: Site) -> None:
    waiting = full.waiting()
    full.redis.delete(MARKER)  # there is no room to write it again
    assert is_full(full)
    worker = full.start(CONCURRENCY="50")
    full.await_(lambda: full.tokens(State.FINISHED) >= set(waiting))
    full.redis.config_set("maxmemory", 0)  # with so little memory, the clients' buffers alone may fill it
    full.await_end()
    full.stop(worker)
    assert full.rows("SELECT DISTINCT state, run, losses FROM tasks") == [("finished", 1, 0)]
    full.require_each_task_ended_once()
    full.require_clean_redis()
    assert full.log.count(FULL) == 1
    assert "does not answer" not in full.log
