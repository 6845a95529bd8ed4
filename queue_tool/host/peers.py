"""Peers: which user of this machine has the other end of a TCP connection. Only Linux tells it."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from queue_tool.host import sock_diag

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
"""The kernel's tables of TCP sockets, described in proc(5). Rows of IPv4 connections may be in either."""

OVERFLOW = Path("/proc/sys/kernel/overflowuid")
"""The user id that the kernel shows for users of other user namespaces, so it may be anybody."""

LOOKS = 3
"""How often the tables are read until a socket is found: a row can be missed while other rows change."""

ESTABLISHED = "01"
ROOT = 0

Endpoint = tuple[str, int]
"""An address, as the tables write it, and a port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    local: Endpoint
    remote: Endpoint
    user: int


def is_ours(peer: tuple[str, int], server: tuple[str, int]) -> bool:
    """Return whether the socket at the other end of a connection belongs to this process's user or to root.

    Addresses and ports of both ends must match. A socket that is not found, or not established, is not ours. Nothing
    is remembered. Where the system has no such tables, every peer counts as ours.

    Args:
        peer: address and port of the other end.
        server: address and port at which this process listens; a wildcard or a name stands for any address.
    """
    if sys.platform != "linux":
        return True
    user = sock_diag.user_of(peer, server)
    if user is None:  # this kernel has no sock_diag, or the server listens at a wildcard address
        user = _user_in_tables(peer, server)
    return user in (os.geteuid(), ROOT) and user != _overflow()


def _user_in_tables(peer: tuple[str, int], server: tuple[str, int]) -> int | None:
    for _ in range(LOOKS):
        tables = ""
        for table in _tables():  # to read one takes the kernel milliseconds, so the second is read only if needed
            tables += table
            user = user_of(peer, server, tables)
            if user is not None:
                return user
    return None


def user_of(peer: tuple[str, int], server: tuple[str, int], tables: str) -> int | None:
    """Return the id of the user who has the other end of a connection; None if that is not certain.

    Args:
        peer: address and port of the other end.
        server: address and port at which this process listens; a wildcard or a name stands for any address.
        tables: the text of the kernel's tables.
    """
    theirs = (_as_in_tables(peer[0]), peer[1])
    listening = _as_in_tables(server[0])
    rows = [*_established(tables, theirs)]
    ours = {
        row.local
        for row in rows
        if row.remote == theirs and row.local[1] == server[1] and listening in (row.local[0], "")
    }
    if len(ours) != 1:
        return None  # at a wildcard address, two connections may differ in our own address only
    users = {row.user for row in rows if row.local == theirs and row.remote in ours}
    return users.pop() if len(users) == 1 else None


def _tables() -> Iterator[str]:
    for path in TABLES:
        try:
            yield path.read_text("ascii")
        except OSError:  # a kernel without IPv6 has no second table
            continue


def _established(tables: str, endpoint: Endpoint) -> Iterator[_Row]:
    """Yield the rows of established connections that have a socket and this endpoint."""
    needle = f"{endpoint[0]}:{endpoint[1]:04X} "
    for line in tables.splitlines():
        if needle not in line:
            continue
        _, local, remote, state, _, _, _, user, _, inode, *_ = line.split()
        if state == ESTABLISHED and inode != "0":
            yield _Row(local=_endpoint(local), remote=_endpoint(remote), user=int(user))


def _endpoint(text: str) -> Endpoint:
    address, _, port = text.partition(":")
    return address.removeprefix(_MAPPED) if len(address) > len(_MAPPED) else address, int(port, 16)


def _as_in_tables(address: str) -> str:
    """Return an address as the tables write it: words of 32 bits, each in this machine's byte order.

    Returns:
        The text; for an IPv4 address in IPv6 that of the IPv4 address; empty for a wildcard or a name.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    found = getattr(found, "ipv4_mapped", None) or found
    return "" if found.is_unspecified else _hex(found.packed)


def _hex(packed: bytes) -> str:
    return "".join(f"{word:08X}" for (word,) in struct.iter_unpack("=I", packed))


_MAPPED = _hex(socket.inet_pton(socket.AF_INET6, "::ffff:0.0.0.0"))[:24]


@cache
def _overflow() -> int | None:
    """Return the user id of unknown users. It is read once: only root can change it."""
    try:
        return int(OVERFLOW.read_text("ascii"))
    except (OSError, ValueError):
        return None
