"""A client that costs little: requests over kept connections, as many as the server can answer."""

from __future__ import annotations

import asyncio
import json
import socket
import statistics
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a time of steady asking has shown."""

    rate: float  # answers a second
    median: float  # seconds that an answer took
    worst: float
    refused: int  # answers other than 200


def request(method: str, url: str, body: bytes = b"") -> bytes:
    """Return a request as it goes over the wire."""
    parts = urlsplit(url)
    head = f"{method} {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def timed(url: str, method: str, body: bytes, times: int) -> tuple[float, Any]:
    """Return the median seconds of one request after another on one connection, and the last answer's JSON."""
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
            if status != HTTPStatus.OK:
                raise SystemExit(f"{method} {url} was answered with {status}: {answer[:200]!r}")
    return statistics.median(seconds), json.loads(answer)


def _read(answers: Any) -> tuple[int, bytes]:
    """Read one answer; its status and body."""
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


class _Asker(asyncio.Protocol):
    """One connection that asks again as soon as it is answered; answers are shorter than one read."""

    def __init__(self, sent: bytes, until: float, seconds: list[float], refused: list[int]) -> None:
        self._sent, self._until, self._seconds, self._refused = sent, until, seconds, refused
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
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
            self._refused.append(1)
        if now < self._until:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.over.done():
            self.over.set_result(None)


def load(url: str, connections: int, seconds: float) -> Load:
    """Ask for one address on so many connections for so long."""
    return asyncio.run(_load(url, connections, seconds))


async def _load(url: str, connections: int, length: float) -> Load:
    parts, seconds, refused = urlsplit(url), list[float](), list[int]()
    assert parts.hostname is not None
    assert parts.port is not None
    host, port = parts.hostname, parts.port
    began = time.perf_counter()
    loop = asyncio.get_running_loop()
    askers = [
        (
            await loop.create_connection(
                lambda: _Asker(request("GET", url), began + length, seconds, refused), host, port
            )
        )[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(asker.over for asker in askers))
    spent = time.perf_counter() - began
    return Load(rate=len(seconds) / spent, median=statistics.median(seconds), worst=max(seconds), refused=len(refused))
