"""Connections to addresses: every step of one ends at the same deadline."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from ipaddress import IPv4Address

from queue_tool.delivery.deadline import Deadline
from queue_tool.model.addresses import Address

MOST_TRIED = 4
"""Addresses of one receiver that are tried."""

_PIECE = 16 * 1024
"""Bytes of one read."""


class Connection:
    """A connection whose reads and writes end at a deadline."""

    def __init__(self, opened: socket.socket, deadline: Deadline) -> None:
        """Own an open socket."""
        self._socket = opened
        self._deadline = deadline

    def write(self, data: bytes) -> None:
        """Write all bytes.

        Raises:
            OSError: the other end has closed the connection.
            TimeoutError: the deadline has passed.
        """
        rest = memoryview(data)
        while rest:
            self._socket.settimeout(self._deadline.left())
            rest = rest[self._socket.send(rest) :]

    def read(self, most: int) -> bytes:
        """Return the next bytes, at least one and at most this number; none at the end.

        Raises:
            OSError: the connection is broken.
            TimeoutError: the deadline has passed.
        """
        self._socket.settimeout(self._deadline.left())
        return self._socket.recv(min(most, _PIECE))

    def close(self) -> None:
        """Close the connection at once, whatever was not read."""
        self._socket.close()


def connect(addresses: Sequence[Address], port: int, deadline: Deadline) -> socket.socket:
    """Return a socket that is connected to one of these addresses. No name is looked up.

    Each address has its share of the time, so that one that does not answer leaves time for the next.

    Raises:
        OSError: the last address refuses, or cannot be reached.
        TimeoutError: the deadline has passed, or the last address's share of it.
    """
    tried = addresses[:MOST_TRIED]
    for count, address in enumerate(tried):
        is_old = isinstance(address, IPv4Address)
        opened = socket.socket(socket.AF_INET if is_old else socket.AF_INET6, socket.SOCK_STREAM)
        try:
            opened.settimeout(deadline.left() / (len(tried) - count))
            opened.connect((str(address), port))
        except OSError:
            opened.close()
            if count + 1 == len(tried):
                raise
        else:
            return opened
    raise TimeoutError  # without an address


def encrypt(opened: socket.socket, context: ssl.SSLContext, host: str, deadline: Deadline) -> socket.socket:
    """Return the socket with TLS. The receiver must have a certificate for the host of the URL.

    Raises:
        ssl.SSLError: it has none, or does not speak TLS.
        OSError: the connection is broken.
        TimeoutError: the deadline has passed.
    """
    wrapped = context.wrap_socket(opened, server_hostname=host, do_handshake_on_connect=False)
    try:
        wrapped.settimeout(deadline.left())
        wrapped.do_handshake()
    except OSError:
        wrapped.close()
        raise
    return wrapped
