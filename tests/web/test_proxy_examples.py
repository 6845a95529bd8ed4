"""The examples of proxies in docs/security.md: they let in a key, and keep out slow bodies and many connections."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import flask
import pytest

from queue_tool.model.access import Role
from queue_tool.runtime import Runtime
from queue_tool.services.keys import Keys
from tests.documents.blocks import ROOT, blocks
from tests.support import eventually, free_port, http
from tests.web import proxies
from tests.web.flask_server import flask_server

MOST = 20
"""Connections of one client that the examples allow."""

SLOW = b"POST /api HTTP/1.1\r\nHost: queue.example\r\nContent-Length: 1000\r\nContent-Type: application/json\r\n\r\n["


def example(language: str) -> str:
    """Return the text of an example."""
    (text,) = (block.text for block in blocks(ROOT / "docs" / "security.md") if block.language == language)
    return text


@dataclass
class Front:
    """A proxy that runs an example, in front of a service that notes the methods of what reaches it."""

    port: int
    key: str
    arrived: list[str]


@pytest.fixture
def front(request: pytest.FixtureRequest, inline: Runtime, tmp_path: Path) -> Iterator[Front]:
    """A service with a key behind an example, of which only addresses and TLS are others."""
    language, port = request.param, free_port()
    key = Keys(store=inline.store, clock=inline.clock).create(Role.SUBMIT).secret
    arrived: list[str] = []
    with ExitStack() as opened:
        upstream, app = opened.enter_context(flask_server(inline))
        app.before_request(lambda: arrived.append(flask.request.method))
        text = example(language).replace("127.0.0.1:5000", f"127.0.0.1:{upstream}")
        text = re.sub(
            r"listen 443 ssl;|bind :443 ssl crt .*", lambda line: f"{line[0].split()[0]} 127.0.0.1:{port};", text
        )
        text = re.sub(r" *ssl_.*\n", "", text)
        run = proxies.nginx if language == "nginx" else proxies.haproxy
        opened.enter_context(run(tmp_path, text if language == "nginx" else text.replace(f"{port};", f"{port}"), port))
        yield Front(port, key, arrived)


@pytest.mark.sqlite
@pytest.mark.parametrize("front", ["nginx", "haproxy"], indirect=True)
def test_an_example_lets_in_a_key_and_keeps_slow_and_many_connections_out(front: Front) -> None:
    url = f"http://127.0.0.1:{front.port}/api"
    assert http("POST", url, []).status == 401
    assert http("POST", url, [], {"Authorization": f"Bearer {front.key}"}).status == 200
    front.arrived.clear()
    with ExitStack() as opened:

        def hold_one_more() -> None:
            connection = asked(front.port, SLOW)
            if connection is not None:
                opened.callback(connection.close)

        def is_full() -> bool:
            hold_one_more()  # what ended before may have been counted when one of these was refused
            return is_refused(front.port)

        for _ in range(MOST - 2):
            hold_one_more()
        assert not is_refused(front.port)
        eventually(is_full)  # the first of them have 10 seconds
        assert "POST" not in front.arrived


def is_refused(port: int) -> bool:
    """Return whether one more connection is refused."""
    connection = asked(port, b"GET /health/live HTTP/1.1\r\nHost: queue.example\r\n\r\n")
    if connection is None:
        return True
    with connection:
        return status(connection) in ("", "503")


def asked(port: int, request: bytes) -> socket.socket | None:
    """Connect and send; return the connection, or None where it was refused."""
    try:
        connection = socket.create_connection(("127.0.0.1", port), 20)
        connection.sendall(request)
    except ConnectionError:
        return None
    return connection


def status(connection: socket.socket) -> str:
    """Return the status of an answer; nothing where the connection was ended instead."""
    try:
        head = connection.recv(1000).decode("latin-1")
    except ConnectionError:
        return ""
    return head.split()[1] if head else ""


@pytest.mark.parametrize("language", ["nginx", "haproxy"])
def test_an_example_of_a_proxy_begins_with_the_key(language: str) -> None:
    _name, first, *_ = example(language).splitlines()
    assert first == "# First of all: queue-tool keys create --role admin"


def test_no_page_shows_a_proxy_or_another_address_before_the_key() -> None:
    for name in ("README.md", "docs/security.md"):
        text = (ROOT / name).read_text("utf-8").lower()
        key = min(text.index(word) for word in ("make a key", "keys create") if word in text)
        for word in ("proxy in front", "nginx", "haproxy", "queue_tool_host", " tls "):
            assert key < text.index(word) if word in text else True, (name, word)
