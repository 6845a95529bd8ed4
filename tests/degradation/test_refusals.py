"""A PostgreSQL and a Redis that answer but refuse: nobody dies, nothing is lost, and the reason is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from redis import Redis

from queue_tool.broker import RqBroker
from queue_tool.errors import BrokerAway, FailureKind
from queue_tool.model.queues import LISTS
from queue_tool.model.states import State
from queue_tool.model.ticket import Ticket
from queue_tool.web import create_app
from tests.postgres import Cluster
from tests.server import Server
from tests.support import RECOVERY
from tests.worker.faults.site import Site

TICKET = Ticket(token="a" * 32, run=1, list=next(iter(LISTS)), task_type="sleep")


@contextmanager
def read_only(cluster: Cluster) -> Iterator[None]:
    """Let every transaction on the server be read-only, as an administrator or a full disk's guard does."""
    name = "default_transaction_read_only"
    cluster.run(f"ALTER SYSTEM SET {name} = on")
    cluster.run("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        cluster.run(f"ALTER SYSTEM RESET {name}")
        cluster.run("SELECT pg_reload_conf()")


class TestOnPostgres:
    @pytest.fixture
    def storage(self) -> str:
        return "postgres"

    @pytest.mark.sqlite  # always on PostgreSQL, so once is enough
    def test_while_the_server_is_read_only_requests_are_refused_and_outcomes_are_held(
        self, site: Site, cluster: Cluster, tmp_path: Path
    ) -> None:
        gate = tmp_path / "gate"
        worker = site.start()
        running = site.send("hard.until", [str(gate)] * 5)
        site.await_(lambda: site.count(State.RUNNING) == len(running))
        client = create_app(site.runtime).test_client()
        good = {"item": "a", "valor": 0}
        with read_only(cluster):
            site.await_(lambda: client.post("/api", json=[good]).status_code == 503)
            for path, body in (("/api", [good]), ("/tasks", {"task_type": "sleep", "data": good})):
                refused = client.post(path, json=body)
                assert refused.json is not None
                assert (refused.status_code, refused.json["code"]) == (503, "store_away")
                assert refused.headers["Retry-After"] == "1"
            assert client.get(f"/check/{running[0]}").status_code == 200
            gate.touch()
            site.await_(lambda: "outcome delayed" in site.log)
            assert "read-only transaction" in site.log
        site.await_end(RECOVERY)
        site.stop(worker)
        assert set(running) <= site.tokens(State.FINISHED)
        assert site.rows("SELECT DISTINCT run, losses FROM tasks") == [(1, 0)]
        site.require_each_task_ended_once()


def refusal(url: str) -> tuple[FailureKind, str]:
    """Push a ticket; return the kind and the sentence of the failure."""
    with closing(RqBroker(url, "d" * 32)) as broker, pytest.raises(BrokerAway) as raised:
        broker.push([TICKET])
    return raised.value.kind, raised.value.sentence


def test_a_redis_that_refuses_is_named_with_its_reason(server: Server) -> None:
    place = server.url.removeprefix("unix://")
    with Redis.from_url(server.url) as redis:
        redis.config_set("maxmemory", 1)
        assert refusal(server.url)[0] is FailureKind.FULL
        redis.config_set("maxmemory", 0)
        redis.execute_command("REPLICAOF", "127.0.0.1", "1")
        assert refusal(server.url)[0] is FailureKind.REFUSES
        redis.execute_command("REPLICAOF", "NO", "ONE")
        redis.execute_command("ACL", "SETUSER", "reader", "on", ">secret", "~*", "+get", "+client", "+hello", "+ping")
        kind, sentence = refusal(f"unix://reader:secret@{place}")
        assert (kind, sentence.startswith("Redis refuses: ")) == (FailureKind.REFUSES, True)
        kind, sentence = refusal(f"unix://reader:wrong@{place}")
        assert (kind, "invalid username-password pair" in sentence) == (FailureKind.REFUSES, True)
        redis.set("rq:queue:" + TICKET.list, "damaged")
        kind, sentence = refusal(server.url)
        assert (kind, "WRONGTYPE" in sentence) == (FailureKind.WRONG, True)


def test_a_command_that_is_wrong_in_itself_does_not_stop_the_others(server: Server) -> None:
    other = Ticket(token="b" * 32, run=1, list=list(LISTS)[1], task_type="sleep")
    with Redis.from_url(server.url) as redis, closing(RqBroker(server.url, "d" * 32)) as broker:
        redis.set("rq:queue:" + TICKET.list, "damaged")
        with pytest.raises(BrokerAway):
            broker.push([TICKET])
        broker.push([other])
        assert redis.lrange("rq:queue:" + other.list, 0, -1) == [other.id.encode()]
