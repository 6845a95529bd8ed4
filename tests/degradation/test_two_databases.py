"""Two databases on one Redis: each would drop the other's tickets, so the second database is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from queue_tool.broker.keys import MARKER
from queue_tool.model import events
from queue_tool.model.states import State
from queue_tool.store import migrations
from queue_tool.store.engine.database import Database
from tests.conftest import News
from tests.server import Server
from tests.support import LIMIT, System, eventually, free_port, http, items, run_command, tokens
from tests.worker.faults.site import Site

SENTENCE = (
    "This Redis carries the tickets of another database. Use a separate Redis, or a separate RQ_KEY_PREFIX, "
    f"for each database. If the other database no longer exists, delete the key {MARKER}."
)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A data directory with another database in it."""
    directory = tmp_path / "other"
    directory.mkdir(mode=0o700)
    database = Database(f"sqlite:///{directory / 'queue_tool.db'}")
    migrations.upgrade(database)
    database.close()
    return directory


@pytest.mark.parametrize("command", ["up", "web", "worker", "sweep"])
def test_a_process_with_another_database_ends_with_one_sentence_and_touches_nothing(
    site: Site, other: Path, command: str
) -> None:
    sent = site.sleepers(3)
    settings = {"DATA_DIR": str(other), "REDIS_URL": site.redis_url, "PORT": str(free_port())}
    refused = run_command(command, cwd=other, within=30, **settings)
    assert (refused.returncode, refused.stderr.splitlines()[-1]) == (1, f"queue-tool: {SENTENCE}")
    assert site.waiting() == sent
    assert site.keys("rq:worker*") == set()


def test_a_worker_ends_when_redis_returns_and_belongs_to_another_database(
    site: Site, server: Server, other: Path
) -> None:
    sent = site.sleepers(3)
    info: Any = site.redis.info
    site.await_(lambda: info("persistence")["aof_buffer_length"] == 0)  # it answers first if its disk is slow
    server.kill()
    worker = site.start(DATA_DIR=str(other))
    site.await_(lambda: "Redis does not answer" in site.log)
    server.start()
    assert worker.wait(LIMIT) == 1
    assert site.log.splitlines()[-1] == f"queue-tool: {SENTENCE}"
    assert site.waiting() == sent


@pytest.mark.parametrize("marker", ["another/1", b"\xff\n/1", b"", b"/"])
def test_a_running_process_stops_pushing_when_redis_belongs_to_another_database(
    site: Site, news: News, marker: str | bytes
) -> None:
    site.redis.set(MARKER, marker)
    for _ in range(3):
        site.sweep()
    assert news.of(events.Warned) == [events.Warned(reason=SENTENCE)]
    sent = site.sleepers(3)
    assert [event.reason for event in news.of(events.PushPostponed)] == [SENTENCE]
    assert site.waiting() == []
    assert site.tokens(State.QUEUED) == set(sent)


def test_a_running_worker_takes_nothing_when_redis_belongs_to_another_database(site: Site, server: Server) -> None:
    worker = site.start()
    site.await_(lambda: " started name=" in site.log)
    site.redis.set(MARKER, "another/1")
    site.redis.rpush("rq:queue:default", "0" * 32)
    site.await_(lambda: "Redis refuses: it carries the tickets of another database." in site.log)
    assert site.waiting() == ["0" * 32]
    site.redis.flushall()
    sent = site.sleepers(3)
    site.await_(lambda: site.tokens(State.FINISHED) == set(sent))
    site.stop(worker)


def test_a_new_database_in_an_old_data_directory_takes_over_the_embedded_valkey(system: System) -> None:
    (old,) = tokens(system.post(items(1, 3600)))
    system.await_status(old, "running")
    system.kill_all()
    for path in (system.directory / "instance").glob("queue_tool.db*"):
        path.unlink()
    system.start()
    (new,) = tokens(system.post(items(1)))
    system.await_status(new, "finished")
    assert http("GET", system.url(f"/check/{old}")).status == 404
    eventually(lambda: http("GET", system.url("/health/ready")).status == 200)
