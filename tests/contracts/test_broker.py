"""What every broker guarantees, and what RQ itself must find in Redis."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import utcparse

from queue_tool.broker import Broker, InlineBroker, RqBroker
from queue_tool.broker.breaker import Breaker
from queue_tool.broker.keys import MARKER
from queue_tool.broker.stamping import FUNCTION
from queue_tool.errors import BrokerAway
from queue_tool.model.queues import LISTS
from queue_tool.model.ticket import Ticket
from tests.support import free_port

DATABASE = "d" * 32


def tickets(count: int, list_name: str = "default", run: int = 1, task_type: str = "sleep") -> list[Ticket]:
    return [
        Ticket(token=f"{number:032x}", run=run, list=list_name, task_type=task_type) for number in range(1, count + 1)
    ]


def empty_server(request: pytest.FixtureRequest, name: str) -> str:
    url: str = request.getfixturevalue(f"{name}_server")
    with Redis.from_url(url) as client:
        client.flushall()
    return url


@pytest.fixture(params=["valkey", "redis"])
def server(request: pytest.FixtureRequest) -> str:
    return empty_server(request, request.param)


@pytest.fixture
def rq_broker(server: str) -> Iterator[RqBroker]:
    with closing(RqBroker(server, DATABASE)) as broker:
        yield broker


@pytest.fixture(params=["valkey", "redis", "inline"])
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    made: Broker
    if request.param == "inline":
        made = InlineBroker(lambda runs: None)
    else:
        made = RqBroker(empty_server(request, request.param), DATABASE)
    yield made
    made.close()


# -- every broker ------------------------------------------------------------------------------------------


def test_every_method_is_idempotent_and_accepts_an_empty_list(broker: Broker) -> None:
    broker.check()
    for some in ([], tickets(3)):
        for _ in range(2):
            broker.push(some)
            broker.discard(some)
    assert broker.queued() == set()


def test_the_incarnation_does_not_change_by_itself(broker: Broker) -> None:
    assert broker.incarnation() == broker.incarnation()


# -- on Redis and Valkey -----------------------------------------------------------------------------------


def test_tickets_are_in_their_lists_in_order(rq_broker: RqBroker, server: str) -> None:
    rq_broker.push([*tickets(2500), *tickets(2, "high.threads", run=3)])
    with Redis.from_url(server) as client:
        assert Queue("default", connection=client).job_ids == [f"{number:032x}" for number in range(1, 2501)]
        assert Queue("high.threads", connection=client).job_ids == [f"{number:032x}-3" for number in (1, 2)]
    assert len(rq_broker.queued()) == 2502


def test_one_process_at_a_time_fills_a_list(rq_broker: RqBroker, server: str) -> None:
    with closing(RqBroker(server, DATABASE)) as other:
        with rq_broker.filling("default") as first:
            with other.filling("default") as second, other.filling("high") as elsewhere:
                assert (first, second, elsewhere) == (True, False, True)
            with other.filling("default") as again:  # the loser has not released the lock of the winner
                assert not again
            with Redis.from_url(server) as client:
                client.flushall()  # a lock that is over needs no release
        with other.filling("default") as next_one:
            assert next_one


@pytest.mark.parametrize("position", [0, 1, 1500])
def test_rq_can_read_a_ticket_as_a_job(rq_broker: RqBroker, server: str, position: int) -> None:
    pushed = tickets(1501)
    rq_broker.push(pushed)
    with Redis.from_url(server) as client:
        job = Job.fetch(pushed[position].id, connection=client, serializer=JSONSerializer)
        assert (job.func_name, job.args, job.kwargs) == (FUNCTION, [], {})
        assert (job.origin, job.timeout, job.result_ttl, job.failure_ttl) == ("default", -1, 0, 60)
        assert (job.description, job.get_status().value) == ("sleep", "queued")
        assert job.enqueued_at is not None


@pytest.mark.parametrize("position", [0, 1, 1000, 1001, 25_000])
def test_every_ticket_has_the_fields_that_rq_itself_writes(rq_broker: RqBroker, server: str, position: int) -> None:
    pushed = tickets(25_001)
    rq_broker.push(pushed)
    with Redis.from_url(server) as client:
        queue = Queue("default", connection=client, serializer=JSONSerializer)
        options = {"job_timeout": -1, "result_ttl": 0, "failure_ttl": 60, "description": "sleep"}
        by_rq = client.hgetall(queue.enqueue(FUNCTION, **options).key)
        ours = client.hgetall(Job.key_for(pushed[position].id))
        assert queue.get_job_position(pushed[position].id) == position
        assert client.object("encoding", Job.key_for(pushed[position].id)) == b"listpack"
    times = {b"created_at", b"enqueued_at"}
    assert {name: value for name, value in by_rq.items() if value and name not in times} == {
        name: value for name, value in ours.items() if name not in times
    }
    assert all(utcparse(ours[name].decode()).tzinfo for name in times)


def test_a_repeated_push_replaces_the_fields_of_a_job(rq_broker: RqBroker, server: str) -> None:
    rq_broker.push(tickets(3))
    with Redis.from_url(server) as client:
        before = client.hgetall(Job.key_for(tickets(3)[2].id))
        client.hset(Job.key_for(tickets(3)[2].id), mapping={"status": "no such status", "data": b"spoilt"})
        rq_broker.push(tickets(3))
        after = client.hgetall(Job.key_for(tickets(3)[2].id))
    assert after.keys() == before.keys()
    assert (after[b"status"], after[b"data"]) == (b"queued", before[b"data"])


def test_discarded_tickets_leave_nothing_behind(rq_broker: RqBroker, server: str) -> None:
    rq_broker.push(tickets(1200))
    rq_broker.discard(tickets(1200))
    with Redis.from_url(server) as client:
        assert set(client.keys()) == {b"rq:queues", MARKER.encode()}


def test_a_wipe_changes_the_incarnation(rq_broker: RqBroker, server: str) -> None:
    before = rq_broker.incarnation()
    with Redis.from_url(server) as client:
        client.flushall()
    after = rq_broker.incarnation()
    assert after != before
    assert after == rq_broker.incarnation()


def test_rq_does_not_take_the_marker_for_a_queue(rq_broker: RqBroker, server: str) -> None:
    rq_broker.incarnation()
    with Redis.from_url(server) as client:
        assert client.exists(MARKER)
        assert Queue.all(connection=client) == []


def test_a_push_to_an_unreachable_redis_raises_broker_away() -> None:
    broker = RqBroker(f"redis://127.0.0.1:{free_port()}", DATABASE)
    for _ in range(2):
        with pytest.raises(BrokerAway):
            broker.push(tickets(1))


# -- the inline broker and the breaker ---------------------------------------------------------------------


def test_the_inline_broker_runs_tickets_at_once_and_in_order() -> None:
    done: list[tuple[str, int]] = []

    def work(runs: Sequence[tuple[str, int]]) -> None:
        done.extend(runs)

    InlineBroker(work).push(tickets(3, run=2))
    assert done == [(ticket.token, 2) for ticket in tickets(3)]


@pytest.mark.parametrize(("seconds", "pause"), [(0.0, 0.1), (0.02, 0.4), (1.0, 5.0)])
def test_the_breaker_tries_again_only_after_a_pause_that_follows_the_length_of_the_failed_call(
    seconds: float, pause: float
) -> None:
    clock = [0.0]
    tried: list[float] = []
    breaker = Breaker(monotonic=lambda: clock[0])

    def call(*, fails: bool) -> bool:
        try:
            with breaker.guard():
                tried.append(clock[0])
                if fails:
                    clock[0] += seconds
                    raise BrokerAway
        except BrokerAway:
            return False
        return True

    assert [call(fails=True), call(fails=False)] == [False, False]
    clock[0] = seconds + 0.98 * pause
    assert not call(fails=False)
    clock[0] = again = seconds + 1.02 * pause
    assert call(fails=False)
    assert call(fails=False)
    assert tried == [0.0, again, again]


# -- RQ's own commands -------------------------------------------------------------------------------------


def test_rq_info_counts_our_tickets(rq_broker: RqBroker, server: str) -> None:
    rq_broker.push(tickets(5))
    rq = Path(sys.executable).with_name("rq")
    shown = subprocess.run([rq, "info", "-u", server, "--raw"], capture_output=True, text=True, check=True).stdout
    assert "queue default 5" in shown


def test_every_lane_of_every_priority_has_a_list() -> None:
    assert (
        *("high", "high.threads", "high.isolated"),
        *("default", "default.threads", "default.isolated"),
        *("low", "low.threads", "low.isolated"),
    ) == LISTS
