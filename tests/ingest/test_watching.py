"""What the readiness and the doctor say of a real RabbitMQ: who consumes, what is missing, and what to do."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import count

import pytest
from redis import Redis

from queue_tool import brokers
from queue_tool.amqp.declaring import NOT_DURABLE
from queue_tool.host.clock import CLOCK
from queue_tool.model.clock import Clock
from queue_tool.model.settings import Settings
from queue_tool.runtime import Runtime
from queue_tool.services.consumers import LOOK_EVERY, NOT_YET, TRY_EVERY, UNUSABLE, Consumers
from queue_tool.services.doctor.finding import Check, Finding, Level
from queue_tool.services.doctor.rabbitmq import RabbitCheck
from tests.conftest import RuntimeFactory, application
from tests.ingest.conftest import Consume
from tests.rabbitmq import Sender
from tests.services.test_doctor import Patient
from tests.support import LIMIT, eventually

pytestmark = pytest.mark.sqlite  # no database plays a part


@pytest.fixture
def runtime(make_runtime: RuntimeFactory, redis: Redis, valkey_server: str, sender: Sender) -> Runtime:
    """A runtime that takes work from RabbitMQ, and whose clock moves on by more than a look lasts."""
    moments = count(1.0, 2 * LOOK_EVERY)
    return make_runtime(
        REDIS_URL=valkey_server,
        AMQP_URL=sender.rabbit.url,
        AMQP_QUEUE=sender.queue,
        clock=Clock(now=CLOCK.now, monotonic=lambda: next(moments)),
    )


def said(runtime: Runtime) -> str:
    """Return the line of the readiness."""
    answer = application(runtime).test_client().get("/health/ready").json
    assert answer is not None
    line: str = answer["checks"]["rabbitmq"]
    return line


def looked(settings: Settings) -> list[Finding]:
    """Return what the doctor finds."""
    assert settings.amqp_url is not None
    check: Check = RabbitCheck(url=settings.amqp_url, queues=settings.amqp_queue)
    return list(check())


def test_a_queue_is_missing_then_has_no_consumer_then_has_one(
    sender: Sender, consume: Consume, runtime: Runtime
) -> None:
    nobody = f"Nobody consumes {sender.queue} in RabbitMQ: start a consumer with `queue-tool consume`."
    assert said(runtime) == nobody
    server, missing, *_ = looked(runtime.settings)
    assert server.found.startswith("RabbitMQ ")
    assert (missing.level, missing.found) == (Level.WARNING, f"The queue {sender.queue} does not exist")
    with sender.channel as channel:
        channel.queue_declare(sender.queue)
    assert looked(runtime.settings)[2].found == NOT_DURABLE.format(name=sender.queue).rstrip(".")
    with sender.channel as channel:
        channel.queue_delete(sender.queue)
    sender.declare("quorum")
    sender.send({}, times=2)
    eventually(lambda: sender.count() == 2)
    assert said(runtime) == nobody
    _, alone, *_ = looked(runtime.settings)
    assert (alone.level, alone.found) == (
        Level.WARNING,
        f"The queue {sender.queue} has no consumer, and messages that wait: 2",
    )
    consume()
    assert said(runtime) == "ok"
    findings = looked(runtime.settings)
    assert {finding.level for finding in findings} == {Level.OK}
    assert f"The queue {sender.queue} has consumers (1)" in findings[1].found


def test_rabbitmq_is_away_or_refuses_the_user(sender: Sender, runtime: Runtime) -> None:
    away, wrong = "amqp://guest:hunter2@127.0.0.1:1", f"amqp://guest:hunter2@127.0.0.1:{sender.rabbit.port}"
    for url, sentence in {
        away: "RabbitMQ does not answer: Connection refused",
        wrong: "RabbitMQ refuses the user or the password",
    }.items():
        settings = replace(runtime.settings, amqp_url=url)
        health = brokers.consumers(settings, runtime.clock)
        assert health is not None
        assert health() == UNUSABLE
        (finding,) = Patient(settings).look()["RabbitMQ"]
        assert (finding.level, finding.found) == (Level.WRONG, sentence)


def test_a_good_look_is_used_again_and_a_bad_one_only_for_a_second() -> None:
    """Looks are counted by what they return: each names another queue."""
    answers, now = iter([["first"], [], ["third"]]), [1.0]
    health = Consumers(lambda: next(answers), Clock(now=CLOCK.now, monotonic=lambda: now[0]))
    assert "first" in health()
    assert "first" in health()
    now[0] += TRY_EVERY
    assert [health(), health()] == ["ok", "ok"]
    now[0] += LOOK_EVERY
    assert "third" in health()


def test_no_probe_waits_for_a_server_that_hangs() -> None:
    answered = threading.Event()
    health = Consumers(lambda: [] if answered.wait(LIMIT) else ["none"], CLOCK)
    assert health() == NOT_YET
    answered.set()
    eventually(lambda: health() == "ok")
