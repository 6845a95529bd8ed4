"""A receiver of webhooks: a server that behaves as the path of a request says, in threads of its own."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tests.support import LIMIT

BETWEEN_BYTES = 0.01
"""Seconds between two bytes of an answer that never ends."""

PIECE = b"x" * 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that came."""

    target: str
    headers: Mapping[str, str]
    """The names are in lower case."""
    body: bytes


class Receiver:
    """Listens, keeps the requests, and answers them."""

    def __init__(self, address: str, port: int, tls: ssl.SSLContext | None) -> None:
        """Listen at an address; port 0 is any free one."""
        self._listener = socket.create_server((address, port))
        self._tls = tls
        self._arrived = threading.Condition()
        self._has_closed = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[Request] = []
        self.answers: dict[str, Callable[[socket.socket], None]] = {
            "/ok": lambda client: answer(client, "200 OK", b"thank you"),
            "/fails": lambda client: answer(client, "500 Internal Server Error", b"not today"),
            "/busy": lambda client: answer(client, "503 Service Unavailable", header="Retry-After: 3600\r\n"),
            "/gone": lambda client: answer(client, "410 Gone"),
            "/moved": lambda client: answer(client, "302 Found", header="Location: /ok\r\n"),
            "/informs": lambda client: client.sendall(
                b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
            ),
            "/odd": lambda client: answer(client, "200 OK", b"a\x00b\xff"),
            "/broken": lambda client: client.sendall(b"HTTP/1.1 fine\r\n\r\n"),
            "/closes": lambda _client: None,
            "/ends-early": lambda client: client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nthank"),
            "/hangs": lambda _client: self._hang(),
            "/dribbles": lambda client: self._dribble(client, b"HTTP/1.1 200 OK\r\nX-Long: "),
            "/dribbles-its-body": lambda client: self._dribble(client, b"HTTP/1.1 200 OK\r\n\r\n"),
            "/huge": self._flood,
            "/informs-for-ever": lambda client: self._flood(client, b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        }

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Return the URL at which this receiver behaves as a path says."""
        return f"{'http' if self._tls is None else 'https'}://{host}:{self.port}{path}"

    def wait_for(self, count: int) -> list[Request]:
        """Wait until so many requests have come, and return all that came."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.requests) >= count, LIMIT)
            return list(self.requests)

    def close(self) -> None:
        """Close all connections and stop."""
        self._has_closed.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(LIMIT)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(LIMIT)
        with client, suppress(OSError), self._encrypted(client) as connection:
            request = read(connection)
            if request is None:
                return
            with self._arrived:
                self.requests.append(request)
                self._arrived.notify_all()
            self.answers[request.target.partition("?")[0]](connection)

    def _encrypted(self, client: socket.socket) -> socket.socket:
        return client if self._tls is None else self._tls.wrap_socket(client, server_side=True)

    def _hang(self) -> None:
        self._has_closed.wait()

    def _dribble(self, client: socket.socket, beginning: bytes) -> None:
        client.sendall(beginning)
        while not self._has_closed.wait(BETWEEN_BYTES):
            client.sendall(b"x")

    def _flood(self, client: socket.socket, piece: bytes = PIECE) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n" if piece is PIECE else piece)
        while not self._has_closed.is_set():
            client.sendall(piece)


def answer(client: socket.socket, status: str, body: bytes = b"", header: str = "") -> None:
    """Send a whole answer."""
    client.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{header}\r\n".encode() + body)


def read(client: socket.socket) -> Request | None:
    """Return the request that comes over a connection; None if it ends before."""
    with client.makefile("rb") as file:
        first, headers = file.readline().decode(), dict[str, str]()
        while (line := file.readline().decode()).strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = file.read(int(headers.get("content-length", "0")))
        return Request(target=first.split()[1], headers=headers, body=body) if line else None


@contextmanager
def receiver(address: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Run a receiver during the block."""
    running = Receiver(address, port, tls)
    try:
        yield running
    finally:
        running.close()
