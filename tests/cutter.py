"""A proxy in front of PostgreSQL that cuts a connection at its COMMIT."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.support import LIMIT

SOCKET = ".s.PGSQL.5432"

COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
"""The message of PostgreSQL's protocol that commits."""


class Cut(StrEnum):
    """What happens to the next COMMIT. The client loses its connection in each case, and gets no answer."""

    LOST = "lost"  # the server does not get it
    DONE = "done"  # the server has done it
    LATE = "late"  # the server gets it only after another connection has come
    DARK = "dark"  # the server has done it, and no later connection reaches the server


@dataclass(slots=True)
class _Link:
    """A client's connection, and the one to the server."""

    client: socket.socket
    server: socket.socket
    is_cut: threading.Event = field(default_factory=threading.Event)  # what the server answers is kept back
    has_ended: threading.Event = field(default_factory=threading.Event)  # the server has closed its end

    def backward(self) -> None:
        """Forward what the server answers."""
        for data in received(self.server):
            with suppress(OSError):
                if not self.is_cut.is_set():
                    self.client.sendall(data)
        close(self.server)
        self.has_ended.set()
        if not self.is_cut.is_set():
            close(self.client)


class Cutter:
    """Forwards connections, and cuts one."""

    def __init__(self, folder: Path, server: Path) -> None:
        """Listen in a folder, for a server whose socket is in another folder."""
        self._server = str(server / SOCKET)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / SOCKET))
        self._listener.listen()
        self._lock = threading.Lock()
        self._next: Cut | None = None
        self._another = threading.Event()  # set when a connection comes after the cut
        self._is_dark = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_next(self, how: Cut) -> None:
        """Cut the connection that commits next."""
        self._another.clear()
        self._next = how

    @property
    def is_waiting(self) -> bool:
        """Return whether no COMMIT has come since `cut_next`."""
        return self._next is not None

    def close(self) -> None:
        """Accept no other connection."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                self._another.set()
                if self._is_dark:
                    client.close()
                    continue
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                link = _Link(client, server)
                threading.Thread(target=self._forward, args=[link], daemon=True).start()
                threading.Thread(target=link.backward, daemon=True).start()

    def _forward(self, link: _Link) -> None:
        for data in received(link.client):
            how = self._taken() if data.endswith(COMMIT) else None
            if how is not None:
                self._cut(link, how, data)
                return
            with suppress(OSError):  # the server has just ended the connection
                link.server.sendall(data)
        close(link.server)

    def _cut(self, link: _Link, how: Cut, commit: bytes) -> None:
        link.is_cut.set()
        self._is_dark = how is Cut.DARK
        if how is Cut.LATE:
            self._another.clear()
            close(link.client)
            self._another.wait(LIMIT)
        if how is Cut.LOST:
            close(link.server)
        else:
            link.server.sendall(commit)
            link.server.shutdown(socket.SHUT_WR)
        link.has_ended.wait(LIMIT)
        close(link.client)

    def _taken(self) -> Cut | None:
        with self._lock:
            taken, self._next = self._next, None
        return taken


@contextmanager
def cutter(folder: Path, server: Path) -> Iterator[Cutter]:
    """Run a cutter during a `with` block."""
    made = Cutter(folder, server)
    try:
        yield made
    finally:
        made.close()


def received(source: socket.socket) -> Iterator[bytes]:
    """Return what comes, until the other end has closed the connection."""
    return iter(lambda: _read(source), b"")


def _read(source: socket.socket) -> bytes:
    try:
        return source.recv(1 << 16)
    except OSError:
        return b""


def close(end: socket.socket) -> None:
    """End a connection in both directions."""
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
