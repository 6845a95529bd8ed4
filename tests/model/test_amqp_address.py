"""The URL of RabbitMQ, and the names of queues."""

from __future__ import annotations

import pika
import pytest

from queue_tool.errors import BadSetting
from queue_tool.model.amqp_address import AmqpAddress, address_of
from queue_tool.model.settings import Settings, read


@pytest.mark.parametrize(
    "url",
    ["amqp://h", "amqp://u:p%40@[::1]:1234", "amqps://u:p@h/a%2Fb", "amqp://h/%2f?heartbeat=10", "amqp://u:@h/v"],
)
def test_the_library_finds_the_same_in_it(url: str) -> None:
    ours, theirs = address_of(url), pika.URLParameters(url)
    assert isinstance(theirs.credentials, pika.PlainCredentials)
    assert ours.host == theirs.host
    assert ours.port == theirs.port
    assert ours.virtual_host == theirs.virtual_host
    assert (ours.user, ours.password) == (theirs.credentials.username, theirs.credentials.password)
    assert ours.is_encrypted == (theirs.ssl_options is not None)
    assert ours.heartbeat == theirs.heartbeat


def test_the_password_is_not_shown() -> None:
    address = address_of("amqp://me:secret@h/v")
    assert "secret" not in repr(address)
    assert address.shown == "h:5672 (v)"
    assert address_of("amqp://h").shown == "h:5672"


def test_the_options_of_tls() -> None:
    found = address_of("amqps://h?verify=verify_none&cacertfile=/ca&certfile=/c&keyfile=/k")
    assert (found.verifies, found.cacertfile, found.certfile, found.keyfile) == (False, "/ca", "/c", "/k")
    assert isinstance(found, AmqpAddress)


@pytest.mark.parametrize(
    "url",
    [
        *("http://h", "amqp://", "h:5672", "amqp://h/a/b", "amqp://h#x", "amqp://h:0", "amqp://u:secret#q@h"),
        *("amqp://h?heartbeat=x", "amqp://h?heartbeat=99999", "amqp://h?verify=verify_none", "amqps://h?verify=maybe"),
        "amqps://h?keyfile=/k",
        *("amqp://h?password=secret", "amqp://h/" + "x" * 256),
    ],
)
def test_another_url_is_refused_in_one_sentence_without_a_quotation(url: str) -> None:
    with pytest.raises(BadSetting, match=r"\AQUEUE_TOOL_AMQP_URL must be .*\.\Z") as raised:
        read({"QUEUE_TOOL_AMQP_URL": url})
    assert "secret" not in str(raised.value)


def test_the_names_of_queues() -> None:
    assert read({"QUEUE_TOOL_AMQP_QUEUE": " a, b,a ,"}).amqp_queue == ("a", "b")
    assert Settings().amqp_queue == ("queue_tool.tasks",)
    for text in (",", "amq.x", "x" * 256):
        with pytest.raises(BadSetting, match="names of queues"):
            read({"QUEUE_TOOL_AMQP_QUEUE": text})
