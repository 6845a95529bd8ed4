"""A proxy in front of Redis that keeps one message back, or the answer to it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.cutter import close, received
from tests.support import LIMIT


class Holder:
    """Forwards connections of a Unix socket to another one."""

    def __init__(self, path: Path, server: str) -> None:
        """Listen at a path."""
        self.url = f"unix://{path}"
        self.is_holding = threading.Event()  # the message, or the answer to it, is kept back
        self._server = server
        self._released = threading.Event()
        self._lock = threading.Lock()
        self._marker: bytes | None = None
        self._holds_answer = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self, marker: bytes, *, answer: bool) -> None:
        """Keep the next message with these bytes back and lose it then; or keep its answer back until `release`."""
        self.is_holding.clear()
        self._released.clear()
        self._holds_answer = answer
        self._marker = marker

    def release(self) -> None:
        """Keep nothing back any more."""
        self._released.set()

    def close(self) -> None:
        """Accept no other connection."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._released.set()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                is_held = threading.Event()
                for work in (self._forward, self._backward):
                    threading.Thread(target=work, args=(client, server, is_held), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket, is_held: threading.Event) -> None:
        for data in received(client):
            if self._is_marked(data):
                if not self._holds_answer:
                    self.is_holding.set()
                    self._released.wait(LIMIT)
                    break
                is_held.set()
            with suppress(OSError):
                server.sendall(data)
        close(server)
        close(client)

    def _backward(self, client: socket.socket, server: socket.socket, is_held: threading.Event) -> None:
        for data in received(server):
            if is_held.is_set():
                self.is_holding.set()
                self._released.wait(LIMIT)
            with suppress(OSError):
                client.sendall(data)
        close(client)
        close(server)

    def _is_marked(self, data: bytes) -> bool:
        with self._lock:
            if self._marker is None or self._marker not in data:
                return False
            self._marker = None
            return True


@contextmanager
def holder(path: Path, server: str) -> Iterator[Holder]:
    """Run a holder during a `with` block."""
    made = Holder(path, server)
    try:
        yield made
    finally:
        made.close()
