"""One question to Linux's sock_diag(7): who has the socket with these two ends. It takes microseconds.

The kernel looks the socket up by its four numbers, where the text tables of /proc list every socket of the machine.
"""

from __future__ import annotations

import atexit
import socket
import struct
from collections import deque

PROTOCOL = 4
"""NETLINK_SOCK_DIAG."""

BY_FAMILY = 20
"""SOCK_DIAG_BY_FAMILY, the type of the request and of its answer."""

REQUEST = 1
"""NLM_F_REQUEST."""

ESTABLISHED = 1

TIMEOUT = 1
"""Seconds to wait for the kernel's answer."""

MOST_IDLE = 8
"""Sockets that stay open between two questions."""

_TIMEOUT = struct.pack("@ll", TIMEOUT, 0)  # timeval: seconds, microseconds

_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_QUERY = struct.Struct("=BBBBI")  # inet_diag_req_v2: family, protocol, extensions, padding, states
_PORTS = struct.Struct("!HH")  # inet_diag_sockid: source and destination
_REST = struct.Struct("=III")  # its interface and its cookie, which matches every socket
_STATE = struct.Struct("=BBBB")  # inet_diag_msg: family, state, timer, retransmissions
_OWNER = struct.Struct("=IIIII")  # its expiry, two queues, user and inode

_ANY = 0xFFFFFFFF
_ID_SIZE = _PORTS.size + 32 + _REST.size


def user_of(local: tuple[str, int], remote: tuple[str, int]) -> int | None:
    """Return the id of the user whose established TCP socket has these ends; None if the kernel does not tell.

    Args:
        local: the address and the port of the socket's own end.
        remote: the address and the port of its other end, in the same family.
    """
    try:
        family = socket.AF_INET6 if ":" in local[0] else socket.AF_INET
        ends = b"".join(socket.inet_pton(family, address).ljust(16, b"\0") for address in (local[0], remote[0]))
        query = _QUERY.pack(family, socket.IPPROTO_TCP, 0, 0, _ANY)
        query += _PORTS.pack(local[1], remote[1]) + ends + _REST.pack(0, _ANY, _ANY)
        return _owner_in(_answer(query))
    except (OSError, ValueError, struct.error):
        return None


_idle: deque[socket.socket] = deque()
"""Open sockets that no thread uses now. To open one takes longer than the question."""


@atexit.register
def _close_idle() -> None:
    while _idle:
        _idle.pop().close()


def _answer(query: bytes) -> bytes:
    """Return the kernel's answer. A socket that failed is not used again: a late answer could wait in it."""
    kernel = _taken()
    try:
        kernel.send(_HEADER.pack(_HEADER.size + len(query), BY_FAMILY, REQUEST, 1, 0) + query)
        answer = kernel.recv(8192)
    except OSError:
        kernel.close()
        raise
    _give_back(kernel)
    return answer


def _taken() -> socket.socket:
    try:
        return _idle.pop()
    except IndexError:
        kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, PROTOCOL)
    kernel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEOUT)  # the kernel itself ends the wait
    return kernel


def _give_back(kernel: socket.socket) -> None:
    if len(_idle) < MOST_IDLE:
        _idle.append(kernel)
    else:
        kernel.close()


def _owner_in(answer: bytes) -> int | None:
    """Return the user of an established socket that has an inode; None for every other answer."""
    kind = _HEADER.unpack_from(answer)[1]
    if kind != BY_FAMILY:
        return None
    state = _STATE.unpack_from(answer, _HEADER.size)[1]
    user, inode = _OWNER.unpack_from(answer, _HEADER.size + _STATE.size + _ID_SIZE)[3:]
    return int(user) if state == ESTABLISHED and inode else None
