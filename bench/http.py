"""A cheap HTTP client: it sends requests over persistent connections, as fast as the server responds."""

from __future__ import annotations

import asyncio
import json
import selectors
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The result of a period of constant load."""

    rate: float  # responses per second
    median: float  # response time in seconds
    worst: float  # longest response time in seconds
    failed: int  # responses other than 200


def request(method: str, url: str, body: bytes = b"") -> bytes:
    """Return the bytes of an HTTP request."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    head = f"{method} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def timed(url: str, method: str, body: bytes, times: int) -> tuple[float, Any]:
    """Send one request several times, one after another, on one connection.

    Args:
        url: the address.
        method: the HTTP method.
        body: a JSON body; may be empty.
        times: the number of requests.

    Returns:
        The median response time in seconds, and the JSON of the last response.

    Raises:
        SystemExit: the server responded with another status than 200 and 202.
    """
    seconds: list[float] = []
    sent = request(method, url, body)
    with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = connection.makefile("rb")
        for _ in range(times):
            began = time.perf_counter()
            connection.sendall(sent)
            status, answer = _read(answers)
            seconds.append(time.perf_counter() - began)
            if status not in (HTTPStatus.OK, HTTPStatus.ACCEPTED):
                raise SystemExit(f"{method} {url} returned status {status}: {answer[:200]!r}")
    return statistics.median(seconds), json.loads(answer)


def _read(answers: Any) -> tuple[int, bytes]:
    """Read one response and return its status and body."""
    status = int(answers.readline().split()[1])
    length, chunked = 0, False
    while line := answers.readline().strip().lower():
        name, _, value = line.partition(b":")
        if name == b"content-length":
            length = int(value)
        chunked = chunked or (name == b"transfer-encoding" and b"chunked" in value)
    if not chunked:
        return status, answers.read(length)
    body = b""
    while size := int(answers.readline(), 16):
        body += answers.read(size)
        answers.readline()
    answers.readline()
    return status, body


class _Connection(asyncio.Protocol):
    """One connection that sends the next request as soon as it has a response. Responses must have a Content-Length."""

    def __init__(self, sent: bytes, until: float, seconds: list[float], failed: list[int]) -> None:
        self._sent, self._until, self._seconds, self._failed = sent, until, seconds, failed
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._answer = b""
        self._began = time.perf_counter()
        self._transport.write(self._sent)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, found, body = self._answer.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().partition(b"content-length:")[2].split(b"\r")[0]):
            return
        now = time.perf_counter()
        self._seconds.append(now - self._began)
        if not head.startswith(b"HTTP/1.1 200"):
            self._failed.append(1)
        if now < self._until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


@contextmanager
def slow_clients(url: str, count: int) -> Iterator[None]:
    """During the block, keep clients that have sent one byte of a body of 1,000."""
    parts = urlsplit(url)
    head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
    with ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(socket.create_connection((parts.hostname, parts.port), timeout=60))
            client.sendall(f"{head}Content-Length: 1000\r\n\r\n{{".encode())
        yield


@contextmanager
def waiting_clients(url: str, count: int) -> Iterator[None]:
    """During the block, keep clients that wait for the end of a batch (`Prefer: wait`), again after each answer."""
    parts = urlsplit(url)
    sent = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nPrefer: wait=60\r\n\r\n".encode()
    ended = threading.Event()

    def wait_again(ready: selectors.BaseSelector) -> None:
        while not ended.is_set():
            for key, _ in ready.select(0.1):
                answer = key.fileobj.recv(1 << 16)  # type: ignore[union-attr] # it is a socket
                if not answer or b"Finalizado" in answer:
                    ready.unregister(key.fileobj)
                elif answer.endswith(b"}"):
                    key.fileobj.sendall(sent)  # type: ignore[union-attr] # it is a socket

    with ExitStack() as stack:
        ready = stack.enter_context(selectors.DefaultSelector())
        for _ in range(count):
            client = stack.enter_context(socket.create_connection((parts.hostname, parts.port), timeout=60))
            client.sendall(sent)
            ready.register(client, selectors.EVENT_READ)
        thread = threading.Thread(target=wait_again, args=[ready])
        thread.start()
        yield
        ended.set()
        thread.join()


def load(url: str, connections: int, seconds: float, method: str = "GET", body: bytes = b"") -> Load:
    """Send one request constantly on several connections for a number of seconds."""
    return asyncio.run(_load(url, connections, seconds, request(method, url, body)))


async def _load(url: str, connections: int, length: float, sent: bytes) -> Load:
    parts, seconds, failed = urlsplit(url), list[float](), list[int]()
    assert parts.hostname is not None
    assert parts.port is not None
    host, port = parts.hostname, parts.port
    began = time.perf_counter()
    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(lambda: _Connection(sent, began + length, seconds, failed), host, port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(client.closed for client in clients))
    spent = time.perf_counter() - began
    return Load(rate=len(seconds) / spent, median=statistics.median(seconds), worst=max(seconds), failed=len(failed))
