"""State changes to RabbitMQ: each end is published once it is committed, in order, and again if that is unclear."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from queue_tool.amqp.event_sender import EventSender, messages_of
from queue_tool.delivery.signing import new_secret
from queue_tool.model import json_text
from queue_tool.model.amqp_address import address_of
from queue_tool.model.webhook import EXCHANGE, pause_after
from queue_tool.services import exchange
from tests.certificate import certificate
from tests.conftest import RuntimeFactory
from tests.ingest.proxy import PUBLISH, proxy
from tests.rabbitmq import Sender
from tests.support import LIMIT, eventually, free_port

pytestmark = pytest.mark.sqlite

EVENTS = "queue_tool.events"

END = b'{"type": "batch.finished", "data": {"batch": "b"}}'


def test_ends_of_tasks_and_batches_are_published_and_nothing_is_after_it_is_turned_off(
    sender: Sender, make_runtime: RuntimeFactory
) -> None:
    with proxy(sender.rabbit.port) as cutter:
        runtime = make_runtime(AMQP_URL=cutter.url, AMQP_EVENTS="on")
        sender.declare()
        heard = sender.new_queue(EVENTS, "#")
        for _ in range(2):
            exchange.register(runtime.store, runtime.clock, new_secret)
        assert [webhook.url for webhook in runtime.webhooks().page(10, None).items] == [EXCHANGE]
        submission = runtime.submit(["abc", "def"], runtime.of_type("reverse_text"))
        deliver = runtime.deliver()
        cutter.drop(PUBLISH)
        deliver()
        assert cutter.dropped.wait(LIMIT)  # the first try is lost, and the next one comes within seconds
        cutter.cut()

        def is_delivered() -> bool:
            deliver()
            return not runtime.store.deliveries.wait()

        eventually(is_delivered, every=0.2)
        found = [sender.get(heard) for _ in range(3)]
    bodies: list[Any] = [json.loads(body) for _, body in found]
    assert [properties.type for properties, _ in found] == ["task.finished", "task.finished", "batch.finished"]
    assert [body.get("result") for body in bodies] == ["cba", "fed", None]
    assert [properties.message_id for properties, _ in found] == [body["id"] for body in bodies]
    assert bodies[2]["batch"] == submission.batch
    assert deliver.wait_idle(LIMIT)
    exchange.unregister(runtime.store)
    runtime.submit(["abc"], runtime.of_type("reverse_text"))
    assert not runtime.store.deliveries.wait()


def test_the_routing_key_is_the_task_type_and_the_state_or_that_of_a_batch() -> None:
    ends = [
        {"id": "a-1", "type": "task.failed", "task_type": "mail.send"},
        {"id": "b-1", "type": "task.canceled", "task_type": "é" * 300},
        {"id": "c-1", "type": "batch.finished"},
    ]
    keys = [key for key, _, _ in messages_of(json_text.dumps({"type": "ends", "data": ends}))]
    assert (keys[0], keys[2]) == ("mail.send.failed", "batch.finished")
    assert keys[1].endswith("é.canceled")
    assert 253 <= len(keys[1].encode()) <= 255
    assert [key for key, _, _ in messages_of(b'{"type": "webhook.test", "data": {"webhook": "a"}}')] == ["webhook.test"]


def test_an_exchange_that_was_deleted_is_declared_again_and_one_that_may_not_be_made_is_a_problem(
    sender: Sender,
) -> None:
    sending = EventSender(address_of(sender.rabbit.url), "test", sender.queue)
    assert sending.send(EXCHANGE, {}, END).problem is None
    with sender.channel as channel:
        channel.exchange_delete(sender.queue)
        assert "no exchange" in (sending.send(EXCHANGE, {}, END).problem or "")
        assert sending.send(EXCHANGE, {}, END).problem is None
        channel.exchange_delete(sender.queue)
    sending = EventSender(address_of(sender.rabbit.url), "test", "amq.of_others")
    assert "ACCESS_REFUSED" in (sending.send(EXCHANGE, {}, END).problem or "")


def test_tls_needs_the_certificates_of_both_sides(sender: Sender, tmp_path: Path) -> None:
    file = certificate(tmp_path, "localhost")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(file))
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_cert_chain(file)

    def problem(host: str, options: str) -> str | None:
        address = address_of(f"amqps://guest:guest@{host}:{encrypted.port}?{options}")
        return EventSender(address, "test", EVENTS).send(EXCHANGE, {}, END).problem

    with proxy(sender.rabbit.port, tls) as encrypted:
        assert problem("localhost", f"cacertfile={file}&certfile={file}") is None
        assert problem("127.0.0.1", f"verify=verify_none&certfile={file}&keyfile={file}") is None
        assert "self-signed" in (problem("localhost", "") or "")
        assert "not valid for '127.0.0.1'" in (problem("127.0.0.1", f"cacertfile={file}") or "")
        assert "certfile" in (problem("localhost", f"cacertfile={file}") or "")


def test_without_rabbitmq_the_events_wait_and_are_never_given_up() -> None:
    sending = EventSender(address_of(f"amqp://me:secret@127.0.0.1:{free_port()}"), "test", EVENTS)
    answer = sending.send(EXCHANGE, {}, b'{"type": "ends", "data": []}')
    assert answer.status is None
    assert answer.problem == "RabbitMQ does not answer: Connection refused."
    wrong = EventSender(address_of("amqps://me:secret@127.0.0.1?cacertfile=/no/such"), "test", EVENTS)
    assert "No such file" in (wrong.send(EXCHANGE, {}, b'{"type": "ends", "data": []}').problem or "")
    assert all(pause_after(tries, 0.5, url=EXCHANGE) for tries in (1, 8, 100_000))
