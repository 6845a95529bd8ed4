"""Redis becomes unavailable: it returns with its data or empty, and workers start, work or end meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from queue_tool.model.states import State
from tests.conftest import RuntimeFactory
from tests.server import Server
from tests.support import LIMIT, RECOVERY
from tests.worker.faults.site import TASKS, Site

pytestmark = pytest.mark.sqlite  # the database plays no part here, so once is enough


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of this test's own."""
    (tmp_path / "v").mkdir(mode=0o700)
    made = Server(tmp_path / "v")
    yield made
    made.stop()


@pytest.fixture
def site(tmp_path: Path, make_runtime: RuntimeFactory, server: Server) -> Iterator[Site]:
    """A site on that server."""
    client = Redis.from_url(server.url)
    made = Site(tmp_path, make_runtime(REDIS_URL=server.url, TASKS=TASKS), client, server.url)
    yield made
    made.kill_all()
    client.close()


@pytest.mark.parametrize("wiped", [True, False])
def test_an_outage_of_redis_stops_no_running_task_and_loses_nothing(
    site: Site, server: Server, tmp_path: Path, wiped: bool
) -> None:
    gates = [tmp_path / "first", tmp_path / "second"]
    worker = site.start(CONCURRENCY="40")
    during, after = (site.send("hard.until", [str(gate)] * 20) for gate in gates)
    site.await_(lambda: site.count(State.RUNNING) == len(during + after))
    waiting = site.sleepers(100)
    server.kill()
    gates[0].touch()
    site.await_(lambda: site.tokens(State.FINISHED) == set(during))
    assert site.tokens(State.RUNNING) == set(after)
    assert site.tokens(State.QUEUED) == set(waiting)
    if wiped:
        server.wipe()
    server.start()
    site.await_end_of(waiting, RECOVERY)
    gates[1].touch()
    site.await_end()
    site.stop(worker)
    assert site.rows("SELECT DISTINCT state, run, losses FROM tasks") == [("finished", 1, 0)]
    site.require_each_task_ended_once()
    site.require_clean_redis()


def test_a_worker_that_ends_while_redis_is_unavailable_leaves_nothing_in_redis(
    site: Site, server: Server, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    worker = site.start(DRAIN="0.5")
    ended = site.send("hard.until", [str(gate)] * 5)
    put_back = site.send("hard.first-run-is-long", range(5))
    site.await_(lambda: len(site.keys("rq:execution:*")) == len(ended + put_back))
    server.kill()
    gate.touch()
    site.await_(lambda: site.count(State.FINISHED) == len(ended))
    worker.terminate()
    assert worker.wait(LIMIT) == 0
    assert site.tokens(State.QUEUED) == set(put_back)
    server.start()
    next_one = site.start()
    site.await_end()
    site.stop(next_one)
    assert site.rows("SELECT DISTINCT task_type, state, run, losses FROM tasks ORDER BY run") == [
        ("hard.until", "finished", 1, 0),
        ("hard.first-run-is-long", "finished", 2, 0),
    ]
    site.require_each_task_ended_once()
    site.require_clean_redis()


def test_a_worker_started_while_redis_is_unavailable_waits_for_it(site: Site, server: Server) -> None:
    server.kill()
    worker = site.start()
    site.sleepers(10)
    site.await_(lambda: "Redis does not answer" in site.log)
    server.start()
    site.await_end()
    site.stop(worker)
    site.require_each_task_ended_once()
    site.require_clean_redis()


def test_a_worker_that_waits_for_redis_ends_on_sigterm(site: Site, server: Server) -> None:
    server.kill()
    worker = site.start()
    site.await_(lambda: "Redis does not answer" in site.log)
    site.stop(worker)
