"""A proxy in front of RabbitMQ that loses what a client sends, or cuts all connections."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.cutter import close, received


class Proxy:
    """Forwards connections to a port of this machine."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Listen on another port. `tls` takes encrypted connections."""
        self._tls = tls
        self._server = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self._drops: bytes | None = None
        self.dropped = threading.Event()
        """Set when something was lost, after `drop`."""
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Return the URL of RabbitMQ through this proxy."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """Return the port of this proxy."""
        return int(self._listener.getsockname()[1])

    def drop(self, marker: bytes) -> None:
        """Lose what a client sends from the next data on that have these bytes, and all that follows."""
        self.dropped.clear()
        self._drops = marker

    def cut(self) -> None:
        """End all connections, and lose nothing afterwards."""
        self._drops = None
        ends, self._ends = self._ends, []
        for end in ends:
            close(end)

    def close(self) -> None:
        """Accept no other connection."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                if self._tls is not None:
                    try:
                        client = self._tls.wrap_socket(client, server_side=True)
                    except OSError:  # it has no certificate that this proxy trusts
                        continue
                try:
                    server = socket.create_connection(self._server)
                except OSError:  # RabbitMQ is only just starting
                    client.close()
                    continue
                self._ends += [client, server]
                threading.Thread(target=self._forward, args=[client, server], daemon=True).start()
                threading.Thread(target=_copy, args=[server, client], daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        loses = False
        for data in received(client):
            loses = loses or (self._drops is not None and self._drops in data)
            if loses:
                self.dropped.set()
                continue
            with suppress(OSError):
                server.sendall(data)
        close(server)


def _copy(source: socket.socket, target: socket.socket) -> None:
    for data in received(source):
        with suppress(OSError):
            target.sendall(data)
    close(target)


@contextmanager
def proxy(port: int, tls: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """Run a proxy during a `with` block."""
    made = Proxy(port, tls)
    try:
        yield made
    finally:
        made.close()


ACK = b"\x00\x3c\x00\x50"
"""What an acknowledgment of a message has: the numbers of the class `basic` and of its method `ack`."""

PUBLISH = b"\x00\x3c\x00\x28"
"""What a publication has."""
