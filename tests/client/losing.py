"""A proxy between a client and the service that loses the answers to some requests: the service has done them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.cutter import close, received


class Losing:
    """Forwards connections to a port of this machine, and cuts those whose answer is to be lost."""

    def __init__(self, port: int) -> None:
        """Listen on a port of its own."""
        self._server = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._next: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Return where clients connect."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def lose(self, *requests: bytes) -> None:
        """Lose the answer to a request that begins with the first bytes, then to one that begins with the second…"""
        self._next += requests

    @property
    def has_lost_all(self) -> bool:
        """Return whether all of these requests have come."""
        return not self._next

    def close(self) -> None:
        """Accept no other connection."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._forward, args=[client], daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._server))
        except OSError:  # the service is away, and so is the client's connection
            close(client)
            return
        is_lost = threading.Event()
        threading.Thread(target=self._backward, args=[server, client, is_lost], daemon=True).start()
        for data in received(client):
            if self._next and data.startswith(self._next[0]):
                del self._next[0]
                is_lost.set()
            with suppress(OSError):
                server.sendall(data)
        close(server)

    def _backward(self, server: socket.socket, client: socket.socket, is_lost: threading.Event) -> None:
        for data in received(server):
            if is_lost.is_set():
                break
            with suppress(OSError):
                client.sendall(data)
        close(client)
        close(server)


@contextmanager
def losing(port: int) -> Iterator[Losing]:
    """Run such a proxy during a `with` block."""
    made = Losing(port)
    try:
        yield made
    finally:
        made.close()
