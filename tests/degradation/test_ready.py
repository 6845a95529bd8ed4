"""Readiness tries what the system needs and names what fails; meanwhile nothing is lost and nothing starts again."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from redis import Redis

from queue_tool.broker import RqBroker, needs
from queue_tool.errors import BrokerAway
from queue_tool.model import events
from tests.conftest import News, RuntimeFactory, application
from tests.documents.blocks import ROOT
from tests.past_the_store import rows
from tests.postgres import Cluster
from tests.server import Server
from tests.support import LIMIT, System, die_with_parent, eventually, http, items, redis_of, tokens
from tests.worker.faults.site import TASKS, Site

pytestmark = pytest.mark.sqlite  # the tests choose their databases themselves

PAGE = ROOT / "docs" / "redis-and-rq.md"


def user(server: Server, *rules: str) -> str:
    """Give a user of Redis these rights only; return the URL with its password."""
    with Redis.from_url(server.url) as redis:
        redis.execute_command("ACL", "SETUSER", "limited", "reset", "on", ">secret", *rules)
    return server.url.replace("unix://", "unix://limited:secret@")


def checks(client: FlaskClient) -> tuple[int, dict[str, str]]:
    """Return the status and the checks of the readiness."""
    answer = client.get("/health/ready")
    assert answer.json is not None
    return answer.status_code, answer.json["checks"]


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        (("~*", "&*", "+@all", "-copy"), "COPY."),
        (("~*", "&*", "+@all", "-publish", "-blmove"), "BLMOVE, PUBLISH."),
        (("~*", "resetchannels", "+@all"), "PUBLISH, SUBSCRIBE."),
        (("~other:*", "&*", "+@all"), "No permissions to access a key"),
        (("~*", "&*", "+@all", "-@scripting"), "'eval' command"),
    ],
)
def test_a_missing_right_is_named_and_logged_once(
    server: Server, make_runtime: RuntimeFactory, news: News, rules: tuple[str, ...], named: str
) -> None:
    client = application(make_runtime(REDIS_URL=user(server, *rules))).test_client()
    found = [checks(client) for _ in range(3)]
    assert found == [found[0]] * 3
    status, states = found[0]
    assert (status, states["database"]) == (503, "ok")
    assert named in states["broker"]
    assert "secret" not in states["broker"]
    assert [event.reason for event in news.of(events.Warned)] == [f"not ready: {states['broker']}"]


def documented() -> list[str]:
    """Return the rights of a user of Redis that the documentation lists."""
    (found,) = re.findall(r"`ACL SETUSER queue_tool on >PASSWORD ([^`]+)`", PAGE.read_text("utf-8"))
    rules: list[str] = found.split()
    return rules


def test_a_user_with_the_documented_rights_but_info_lacks_nothing(
    site: Site, server: Server, make_runtime: RuntimeFactory
) -> None:
    url = user(server, *documented(), "-info")
    limited = make_runtime(REDIS_URL=url, TASKS=TASKS)
    assert checks(application(limited).test_client())[1]["broker"] == "ok"
    sent = site.sleepers(3)
    site.redis.flushall()
    limited.sweep()()
    assert sorted(site.waiting()) == sorted(sent)
    worker = site.start(REDIS_URL=url)
    site.await_end()
    site.stop(worker)
    assert "permission" not in site.log
    assert "refuses" not in site.log
    site.require_clean_redis()


@pytest.mark.parametrize(
    ("server", "named"),
    [
        ({"redis_version": "6.0.16"}, "This is Redis 6.0.16: Queue Tool needs Redis 6.2 or newer, or Valkey."),
        ({"redis_version": "5.0"}, "This is Redis 5.0: "),
        ({"redis_version": "7.0.0", "redis_mode": "cluster"}, "This Redis is a cluster: "),
    ],
)
def test_a_server_of_another_kind_is_named(server: dict[str, str], named: str) -> None:
    with pytest.raises(BrokerAway) as refused:
        needs.require_server(server)
    assert refused.value.sentence.startswith(named)
    needs.require_server({"redis_version": "6.2.0", "redis_mode": "standalone"})


@pytest.fixture
def cluster_node(tmp_path: Path) -> Iterator[str]:
    """The URL of a Redis in cluster mode."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on this machine")
    words = ["--port", "0", "--unixsocket", str(tmp_path / "s"), "--cluster-enabled", "yes", "--cluster-port", "29379"]
    running = subprocess.Popen(
        [program, *words, "--port", "19379", "--bind", "127.0.0.1", "--dir", str(tmp_path), "--save", ""],
        stdout=subprocess.DEVNULL,
        preexec_fn=die_with_parent,
    )
    eventually((tmp_path / "s").is_socket)
    yield f"unix://{tmp_path}/s"
    running.terminate()
    running.wait(LIMIT)


def test_a_cluster_is_named(cluster_node: str) -> None:
    broker = RqBroker(cluster_node, "d" * 32)
    with pytest.raises(BrokerAway, match="This Redis is a cluster"):
        broker.check()
    broker.close()


def test_a_read_only_database_and_a_replica_lose_nothing_and_are_named(
    system_on_postgres: System, cluster: Cluster
) -> None:
    system = system_on_postgres
    url = system.settings["DATABASE_URL"]
    name = url.partition("/@/")[2] or url.rpartition("@/")[2].partition("?")[0]

    def states() -> dict[str, str]:
        found: dict[str, str] = http("GET", system.url("/health/ready")).json["checks"]
        return found

    eventually(lambda: set(states().values()) == {"ok"})
    sent = [token for _ in range(5) for token in tokens(system.post(items(100, valor=0.5)))]
    eventually(lambda: rows(url, "SELECT 1 FROM tasks WHERE state = 'running'"))
    cluster.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    cluster.cut_connections()
    eventually(lambda: "refuses to write" in states()["database"])
    refused = [system.post(items(1)) for _ in range(20)]
    assert {(answer.status, answer.headers.get("retry-after")) for answer in refused} == {(503, "1")}
    cluster.run(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    cluster.cut_connections()
    eventually(lambda: states()["database"] == "ok")
    with redis_of(system) as redis:
        redis.execute_command("REPLICAOF", "127.0.0.1", "1")
        eventually(lambda: "Redis refuses: " in states()["broker"])
        for _ in range(20):
            sent += tokens(system.post(items(5)))
        redis.execute_command("REPLICAOF", "NO", "ONE")
    finished = "SELECT count(*) FROM tasks WHERE state = 'finished' AND run = 1 AND losses = 0"
    eventually(lambda: rows(url, finished) == [(len(sent),)])
    eventually(lambda: set(states().values()) == {"ok"})
    assert "child died" not in system.log
    assert "Traceback" not in system.log
    for reason in ("not ready: The database cannot be used", "not ready: Redis refuses"):
        assert system.log.count(reason) == 1
    assert system.stop() == 0
