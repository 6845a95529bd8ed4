"""The consumer, with a real RabbitMQ: each AMQP message is stored, answered and acknowledged, whatever breaks."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from pika.exceptions import AMQPError

from queue_tool.amqp.declaring import DEAD, declare_work
from queue_tool.amqp.link import Link
from queue_tool.errors import AmqpRefused
from queue_tool.model import events
from queue_tool.model.amqp_address import address_of
from queue_tool.model.incoming import MOST_DEATHS, Incoming
from queue_tool.runtime import Runtime
from queue_tool.services.receive import Outcome
from tests.conftest import News, RuntimeFactory
from tests.ingest.conftest import Consume
from tests.ingest.consuming import Consuming, Killed, Take
from tests.ingest.proxy import ACK, PUBLISH, proxy
from tests.rabbitmq import Rabbit, Sender, sender
from tests.support import LIMIT, eventually

pytestmark = pytest.mark.sqlite  # tests/services/test_receive.py has what depends on the database

BATCH = [{"item": "a", "valor": 0}, {"item": "b", "valor": 0}]
TASK = {"task_type": "echo", "data": 1}


class Gate:
    """Holds the groups of a consumer back until it is opened."""

    def __init__(self) -> None:
        """Start closed."""
        self.is_reached, self._is_open = threading.Event(), threading.Event()

    def __call__(self, take: Take, messages: Sequence[Incoming]) -> list[Outcome]:
        """Wait, then let the service handle a group."""
        self.is_reached.set()
        assert self._is_open.wait(LIMIT)
        return take(messages)

    def open(self) -> None:
        """Hold nothing back any more."""
        self._is_open.set()


def tasks(runtime: Runtime) -> int:
    """Return how many tasks are stored."""
    return runtime.ask.totals().batches + len(runtime.broker.queued())


def await_tasks(runtime: Runtime, count: int) -> None:
    """Wait until this many tickets are pushed."""
    eventually(lambda: len(runtime.broker.queued()) >= count)
    assert len(runtime.broker.queued()) == count


def test_each_message_sent_twice_is_answered_twice_and_stored_once(
    sender: Sender, consume: Consume, runtime: Runtime
) -> None:
    replies = sender.new_queue()
    sender.declare()
    sender.send(BATCH, times=2, type="sleep", message_id="0", correlation_id="c0", reply_to=replies)
    sender.send(TASK, times=2, message_id="1", correlation_id="c1", reply_to=replies)
    consuming = consume()
    found: dict[str, list[Any]] = {}
    for _ in range(4):
        properties, body = sender.get(replies)
        assert properties.content_type == "application/json"
        found.setdefault(properties.correlation_id or "", []).append(json.loads(body))
    assert {name: len(answers) for name, answers in found.items()} == {"c0": 2, "c1": 2}
    assert all(first == second for first, second in found.values())
    assert len(found["c0"][0]["processing_items"]) == 2
    await_tasks(runtime, 3)
    consuming.stop()
    assert sender.count() == 0


def test_messages_that_wait_share_a_transaction_and_a_stop_handles_what_was_delivered(
    sender: Sender, consume: Consume, runtime: Runtime
) -> None:
    gate = Gate()
    sender.declare("quorum")
    consuming = consume(around=gate)
    sender.send(TASK, times=200)
    assert gate.is_reached.wait(LIMIT)
    eventually(lambda: sender.count() == 0)
    stop = threading.Thread(target=consuming.stop)
    stop.start()
    gate.open()
    stop.join()
    await_tasks(runtime, 200)
    assert sum(consuming.groups) == 200
    assert len(consuming.groups) < 20
    assert sender.count() == 0


def test_what_is_refused_whole_goes_to_another_queue_with_the_reasons(
    sender: Sender, consume: Consume, runtime: Runtime, news: News
) -> None:
    consume()
    refused, replies = sender.new_queue(DEAD), sender.new_queue()
    sender.send(b"[1,", message_id="m", headers={"mine": 5, "CC": ["elsewhere"]}, reply_to=replies, type="sleep")
    properties, body = sender.get(refused)
    headers: dict[str, Any] = dict(properties.headers or {})
    assert (body, properties.message_id, properties.type, headers["mine"]) == (b"[1,", "m", "sleep", 5)
    assert headers["x-queue-tool-code"] == "malformed_json"
    assert "column" in headers["x-queue-tool-reason"]
    assert headers["x-queue-tool-queue"] == sender.queue
    assert "CC" not in headers
    assert json.loads(sender.get(replies)[1])["code"] == "malformed_json"
    sender.send([{"item": 3}], type="sleep", headers={"much": "x" * 100_500})
    headers = dict(sender.get(refused)[0].headers or {})
    assert json.loads(headers["x-queue-tool-errors"])[0]["path"].startswith("/0")
    assert "much" not in headers
    eventually(lambda: len(news.of(events.AmqpMessageRefused)) == 2)  # told when RabbitMQ has confirmed it
    assert [event.code for event in news.of(events.AmqpMessageRefused)] == ["malformed_json", "bad_task"]
    assert runtime.ask.totals().batches == 0


class Late(datetime):
    """A time in the year 55841, as from a program that counts milliseconds where AMQP counts seconds."""

    def utctimetuple(self) -> time.struct_time:
        """Return it."""
        return time.struct_time((1970, 1, 1 + 1_700_000_000_000 // 86_400, 0, 0, 0, 0, 0, 0))


def test_headers_that_cannot_be_read_are_refused_once_and_delay_no_other_message(
    sender: Sender, consume: Consume, runtime: Runtime, news: News
) -> None:
    consume()
    refused, replies = sender.new_queue(DEAD), sender.new_queue()
    late: dict[str, Any] = {"sent": Late(1970, 1, 1), "task_type": "echo"}
    sender.send(TASK, headers=late, message_id="m", correlation_id=b"\xff", reply_to=replies)
    sender.send(TASK, message_id=b"\xff")
    await_tasks(runtime, 1)
    properties, _ = sender.get(refused)
    assert properties.message_id == "m"
    headers: dict[str, Any] = dict(properties.headers or {})
    assert "year 9999" in headers["x-queue-tool-reason"]
    answer, body = sender.get(replies)
    assert ascii(answer.correlation_id) == ascii(b"\xff")  # the same bytes
    assert json.loads(body)["code"] == "bad_parameter"
    assert not news.of(events.AmqpLost)


def test_a_connection_that_is_cut_loses_and_doubles_nothing(
    sender: Sender, consume: Consume, runtime: Runtime, news: News
) -> None:
    with proxy(sender.rabbit.port) as cutter:
        sender.declare("quorum")
        refused = sender.new_queue(DEAD)
        consume(cutter.url)
        cutter.drop(ACK)
        sender.send(BATCH, type="sleep", message_id="a")
        assert cutter.dropped.wait(LIMIT)  # it is stored, and RabbitMQ never hears of it
        cutter.cut()
        eventually(lambda: len(news.of(events.AmqpConnected)) == 2)
        cutter.drop(PUBLISH)
        sender.send(b"{", message_id="b")
        assert cutter.dropped.wait(LIMIT)  # the publication is lost in the middle of its confirmation
        cutter.cut()
        assert sender.get(refused)[1] == b"{"
        eventually(lambda: len(news.of(events.AmqpConnected)) == 3)
        await_tasks(runtime, 2)
        assert runtime.ask.totals().batches == 1
    assert len(news.of(events.AmqpLost)) >= 2
    assert not any("guest" in event.reason for event in news.of(events.AmqpLost))


def test_a_consumer_whose_queue_was_deleted_declares_it_and_goes_on(
    sender: Sender, consume: Consume, runtime: Runtime, news: News
) -> None:
    sender.declare(durable=False, arguments={})
    consuming = consume()
    assert "not durable" in news.of(events.Warned)[0].reason
    with sender.channel as channel:
        channel.queue_delete(sender.queue)
    consuming.await_connection(2)
    assert "deleted" in news.of(events.AmqpLost)[0].reason
    with pytest.raises(AMQPError, match=DEAD):  # the new one has the arguments of ours
        sender.declare("classic")
    sender.send(TASK)
    await_tasks(runtime, 1)


def test_messages_that_are_large_together_wait_in_rabbitmq(
    sender: Sender, consume: Consume, runtime: Runtime, news: News
) -> None:
    gate = Gate()
    sender.declare()
    sender.send(TASK, times=40)
    consuming = consume(around=gate, most_bytes=10 * len(json.dumps(TASK)))
    eventually(lambda: news.of(events.Warned))
    assert "at most 5 of each queue" in news.of(events.Warned)[0].reason
    assert gate.is_reached.wait(LIMIT)
    eventually(lambda: sender.count() == 30)
    gate.open()
    await_tasks(runtime, 40)
    consuming.stop()
    assert max(consuming.groups) <= 10
    assert sender.count() == 0
    assert len(news.of(events.AmqpConnected)) == 1


def test_a_stream_is_refused_because_it_would_lose_messages(sender: Sender) -> None:
    async def declare() -> None:
        link = await Link.open(address_of(sender.rabbit.url), "test")
        try:
            await declare_work(link, sender.queue, pytest.fail)
        finally:
            await link.close()

    sender.declare("stream")
    with pytest.raises(AmqpRefused, match="is a stream"):
        asyncio.run(declare())


def test_work_that_cannot_be_stored_yet_waits_and_is_not_refused(
    sender: Sender, consume: Consume, make_runtime: RuntimeFactory, runtime: Runtime, news: News
) -> None:
    assert runtime.settings.redis_url
    runtime = make_runtime(REDIS_URL=runtime.settings.redis_url, MAX_WAITING="1")
    sender.declare()
    consume(runtime=runtime)
    sender.send(TASK, times=3)
    eventually(lambda: news.of(events.AmqpWorkWaits))
    for number in range(3):
        await_tasks(runtime, number + 1)
        token = max(runtime.broker.queued())
        runtime.cancel([token])
    eventually(lambda: news.of(events.AmqpWorkContinues))
    assert not news.of(events.AmqpMessageRefused)


def test_a_message_that_kills_its_consumers_is_refused_and_its_neighbors_are_stored(
    sender: Sender, consume: Consume, runtime: Runtime, news: News
) -> None:
    def die(take: Take, messages: Sequence[Incoming]) -> list[Outcome]:
        """End like a process that was killed with these messages in hand."""
        if any(message.message_id == "killer" for message in messages):
            raise Killed
        return take(messages)

    sender.declare()
    refused = sender.new_queue(DEAD)
    sender.send(TASK, times=20)
    sender.send(TASK, message_id="killer")
    sender.send(TASK, times=20)
    for _ in range(MOST_DEATHS + 1):
        consume(around=die).join()
    consume(around=die)
    properties, _ = sender.get(refused)
    assert properties.message_id == "killer"
    assert (properties.headers or {})["x-queue-tool-code"] == "kills_consumer"
    await_tasks(runtime, 40)
    eventually(lambda: not list((runtime.settings.data_dir / "amqp").iterdir()))


def test_alarms_and_a_restart_of_rabbitmq_only_delay(rabbit_alone: Rabbit, runtime: Runtime, news: News) -> None:
    with sender(rabbit_alone) as program:
        gate = Gate()
        program.declare("quorum")
        refused = program.new_queue(DEAD)
        consuming = Consuming(runtime=runtime, news=news, url=rabbit_alone.url, queue=program.queue, around=gate)
        consuming.start()
        program.send(b"{")
        program.send(TASK, message_id="a")
        rabbit_alone.control("set_disk_free_limit", "1000000GB")
        gate.open()
        await_tasks(runtime, 1)
        eventually(lambda: news.of(events.AmqpBlocked))
        assert "disk" in news.of(events.AmqpBlocked)[0].reason
        rabbit_alone.control("set_disk_free_limit", "1MB")
        assert program.get(refused)[1] == b"{"
        eventually(lambda: news.of(events.AmqpUnblocked))
        rabbit_alone.control("eval", "rabbit:stop().")
        eventually(lambda: news.of(events.AmqpLost))
        rabbit_alone.control("eval", "rabbit:start().")
        consuming.await_connection(2)
        eventually(lambda: sends(program))
        await_tasks(runtime, 2)
        consuming.stop()


def sends(program: Sender) -> bool:
    """Return whether a task could be sent. RabbitMQ may have accepted connections before its queues were ready."""
    try:
        program.send(TASK, message_id="b")
    except AMQPError as error:
        raise OSError(repr(error)) from error
    return True
