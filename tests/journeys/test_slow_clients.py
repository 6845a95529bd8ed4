"""Clients that are slow, stop in the middle or only stay connected: everybody else is served as before."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from queue_tool.web.http.streams import AT_ONCE
from tests.support import System, eventually, http, items, tokens

CLIENTS = 100
IDLE = 1_100
BIG = 5 * 2**20


class Clients:
    """Connections that a test keeps open until its end."""

    def __init__(self, system: System) -> None:
        """Open none yet."""
        self.system = system
        self._open = ExitStack()

    def send(self, head: str, body: bytes = b"", buffer: int = 0) -> socket.socket:
        """Open a connection and send the beginning of a request on it."""
        client = self._open.enter_context(socket.socket())
        client.settimeout(60)
        if buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.connect(("127.0.0.1", self.system.port))
        if head:
            client.sendall(f"{head}\r\nHost: 127.0.0.1:{self.system.port}\r\n\r\n".encode() + body)
        return client

    def post(self, body: bytes, how: str, path: str = "/check") -> socket.socket:
        """Begin to send a body."""
        return self.send(f"POST {path} HTTP/1.1\r\nContent-Type: application/json\r\n{how}", body)

    def close(self) -> None:
        """Close all of them."""
        self._open.close()


@pytest.fixture
def token(lasting_system: System) -> str:
    """A task that does not end. Each test has its own: tests of other modules may cancel what matches a filter."""
    (found,) = tokens(lasting_system.post(items(1, 3600)))
    return found


@pytest.fixture
def clients(lasting_system: System) -> Iterator[Clients]:
    made = Clients(lasting_system)
    yield made
    made.close()


def others_are_served(system: System, token: str) -> None:
    for _ in range(5):
        assert http("GET", system.url("/health/live")).status == 200
        assert system.check(token)["message"] == "Em processamento"
    (sent,) = tokens(system.post(items(1)))
    found = http("POST", system.url("/check"), {"tokens": [sent, token]}).json["results"]
    assert [line["hash"] for line in found] == [sent, token]


def status(client: socket.socket) -> int:
    return int(client.recv(65536).split()[1])


@pytest.mark.sqlite
def test_bodies_that_do_not_come_hold_nobody_up_and_end(lasting_system: System, clients: Clients, token: str) -> None:
    slow = [clients.post(b"{", "Content-Length: 1000") for _ in range(CLIENTS)]
    chunked = [clients.post(b"1\r\n{\r\n", "Transfer-Encoding: chunked") for _ in range(10)]
    others_are_served(lasting_system, token)
    assert [status(client) for client in (slow[0], slow[-1], chunked[0])] == [408] * 3
    assert slow[0].recv(1) == b""  # the rest of this body is not taken for another request


@pytest.mark.sqlite
def test_slow_big_bodies_leave_room_for_another_big_one(lasting_system: System, clients: Clients, token: str) -> None:
    slow = [clients.post(b" " * BIG, f"Content-Length: {2 * BIG}", "/api") for _ in range(2)]
    chunk = b"%x\r\n" % BIG + b" " * BIG + b"\r\n"
    slow += [clients.post(chunk, "Transfer-Encoding: chunked", "/api") for _ in range(2)]
    assert http("POST", lasting_system.url("/api"), b"[]".ljust(BIG)).status == 200
    others_are_served(lasting_system, token)
    slow[2].sendall(b"2\r\n[]\r\n0\r\n\r\n")
    assert status(slow[2]) == 200


@pytest.mark.sqlite
def test_small_bodies_of_unknown_length_take_no_place_of_a_big_one(lasting_system: System, clients: Clients) -> None:
    body = b'd\r\n{"tokens": []\r\n'
    sent = [clients.post(body, "Transfer-Encoding: chunked") for _ in range(8)]
    for client in sent:
        client.sendall(b"1\r\n}\r\n0\r\n\r\n")
    assert [status(client) for client in sent] == [200] * 8


def test_readers_that_do_not_read_leave_room_for_others(lasting_system: System, clients: Clients, token: str) -> None:
    batch = lasting_system.post([{"item": "x" * 2_000}] * 4_000).json["batch"]  # refused: no valor
    path = f"/batches/{batch}/results"

    def begin(count: int) -> None:
        readers = [clients.send(f"GET {path} HTTP/1.1", buffer=4096) for _ in range(count)]
        assert [reader.recv(12) for reader in readers] == [b"HTTP/1.1 200"] * count

    begin(4)
    others_are_served(lasting_system, token)
    assert len(http("GET", lasting_system.url(path)).body.splitlines()) == 4_000
    begin(AT_ONCE - 4)
    assert http("GET", lasting_system.url(path)).status == 503
    others_are_served(lasting_system, token)
    clients.close()
    eventually(lambda: http("GET", lasting_system.url(path)).status == 200)


@pytest.mark.sqlite
def test_one_task_has_a_share_of_the_waits_and_a_client_that_leaves_gives_its_wait_back(
    lasting_system: System, clients: Clients, token: str
) -> None:
    wait = f"GET /check/{token} HTTP/1.1\r\nPrefer: wait=60"

    def waits(of: str) -> bool:
        return "preference-applied" in http("GET", lasting_system.url(of), headers={"Prefer": "wait=1"}).headers

    def has_its_share() -> bool:
        clients.send(wait)  # one more: while the system still had waits of others, it may have refused those above
        answer = http("GET", lasting_system.url(f"/check/{token}"), headers={"Prefer": "wait=1"})
        assert answer.json["status"] in ("queued", "running"), answer.json
        return "preference-applied" not in answer.headers

    for _ in range(CLIENTS):
        clients.send(wait)
    eventually(has_its_share)
    (other,) = tokens(lasting_system.post(items(1, 3600)))
    assert waits(f"/check/{other}")
    others_are_served(lasting_system, token)
    clients.close()
    eventually(lambda: waits(f"/check/{token}"), within=30)  # less than the waits themselves


@pytest.mark.sqlite
def test_connections_that_say_nothing_hold_nobody_up(lasting_system: System, clients: Clients, token: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < IDLE + 200:
        resource.setrlimit(resource.RLIMIT_NOFILE, (IDLE + 200, hard))
    for _ in range(IDLE):
        clients.send("")
    others_are_served(lasting_system, token)
