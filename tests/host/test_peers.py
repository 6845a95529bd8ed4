"""Peers: whose the other end of a connection is, by real sockets and by tables of the kernel's."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from queue_tool.host import sock_diag
from queue_tool.host.peers import is_ours, user_of
from tests.support import LIMIT

NOBODY = 65_534
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
V6 = "0000000000000000FFFF0000"

OURS, THEIRS = "0100007F:1388", "0100007F:D431"  # 127.0.0.1, ports 5000 and 54321
PEER, SERVER = ("127.0.0.1", 54321), ("127.0.0.1", 5000)


def row(local: str, remote: str, user: int = 1000, state: str = "01", inode: int = 77) -> str:
    """Return a row as the kernel writes it."""
    return f"   1: {local} {remote} {state} 00000000:00000000 00:00000000 00000000 {user:5}        0 {inode} 1 0 20 4\n"


def table(*rows: str) -> str:
    return HEAD + "".join(rows)


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """Connections of this process's to itself: the end of the client, then that of the server."""
    with ExitStack() as opened:
        made = []
        for address in ("127.0.0.1", "127.0.0.2", "::1"):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            if family == socket.AF_INET6 and not has_ipv6():
                continue
            listener = opened.enter_context(socket.create_server((address, 0), family=family))
            client = opened.enter_context(socket.create_connection(listener.getsockname()[:2]))
            made.append((client, opened.enter_context(closing(listener.accept()[0]))))
        yield made


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def ends(client: socket.socket) -> tuple[tuple[str, int], tuple[str, int]]:
    """Return the addresses that a server knows of a connection."""
    return client.getsockname()[:2], client.getpeername()[:2]


def test_a_socket_of_our_own_is_ours(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    for client, _ in pairs:
        peer, server = ends(client)
        assert is_ours(peer, server)
        assert is_ours(peer, ("0.0.0.0", server[1]))
        assert is_ours(peer, ("::", server[1]))
        assert is_ours(peer, ("localhost", server[1]))


def test_the_kernel_names_the_user_of_one_connection(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    for client, _ in pairs if sys.platform == "linux" else ():
        peer, server = ends(client)
        assert sock_diag.user_of(peer, server) == os.geteuid()
        for wrong in ((peer[0], peer[1] ^ 1), ("192.0.2.7", peer[1]), ("unix", peer[1]), ("", 0), (peer[0], 70_000)):
            assert sock_diag.user_of(wrong, server) is None
        if os.geteuid() == 0:
            os.fchown(client.fileno(), NOBODY, -1)
            assert sock_diag.user_of(peer, server) == NOBODY
        client.shutdown(socket.SHUT_WR)
        assert sock_diag.user_of(peer, server) is None, "it is no longer established"


def test_questions_leave_no_socket_open_at_the_end_of_their_process() -> None:
    asking = (
        "from queue_tool.host import sock_diag as s; s.MOST_IDLE = 1; "
        "s.user_of(('127.0.0.1', 1), ('127.0.0.1', 2)); s._give_back(s.socket.socket()); assert len(s._idle) == 1"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", asking], capture_output=True, text=True, timeout=LIMIT, check=True
    )
    assert done.stderr == ""


def test_a_socket_that_is_not_there_or_closed_is_not_ours(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    on_linux = sys.platform == "linux"
    for client, _ in pairs:
        peer, server = ends(client)
        for wrong in (
            ((peer[0], peer[1] ^ 1), server),
            (peer, (server[0], server[1] ^ 1)),
            (peer, ("127.0.0.9", server[1])),
            (("192.0.2.7", peer[1]), server),
            (("unix", peer[1]), server),
            (("", 0), server),
        ):
            assert is_ours(*wrong) is not on_linux
        client.shutdown(socket.SHUT_WR)
        assert is_ours(peer, server) is not on_linux, "it is no longer established"


def test_a_socket_of_another_user_is_not_ours(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    for client, _ in pairs if os.geteuid() == 0 and sys.platform == "linux" else ():
        for user in (NOBODY, 12_345):
            os.fchown(client.fileno(), user, -1)
            assert not is_ours(*ends(client)), "nothing is remembered"
            os.fchown(client.fileno(), 0, -1)
            assert is_ours(*ends(client))


@pytest.mark.parametrize(
    ("rows", "user"),
    [
        ([row(OURS, THEIRS, user=0), row(THEIRS, OURS, user=1000)], 1000),
        ([row(THEIRS, OURS, user=0), row(OURS, THEIRS, user=1000)], 0),
        # the client's socket, or both, are of IPv6
        ([row(OURS, THEIRS), row(V6 + THEIRS, V6 + OURS, user=7)], 7),
        ([row(V6 + OURS, V6 + THEIRS), row(V6 + THEIRS, V6 + OURS, user=7)], 7),
        # no row, or not of this connection
        ([], None),
        ([row(OURS, THEIRS)], None),
        ([row(THEIRS, OURS)], None),
        ([row(OURS, THEIRS), row(THEIRS, "0200007F:1388")], None),
        ([row(OURS, THEIRS), row(THEIRS, "0100007F:1389")], None),
        ([row(OURS, THEIRS), row("0200007F:D431", OURS)], None),
        ([row("0200007F:1388", THEIRS), row(THEIRS, "0200007F:1388")], None),
        ([row(OURS, THEIRS), row("11" + THEIRS, OURS)], None),
        # not established, or without a socket
        *([[row(OURS, THEIRS), row(THEIRS, OURS, state=f"{state:02X}")], None] for state in range(2, 13)),
        ([row(OURS, THEIRS), row(THEIRS, OURS, inode=0)], None),
        ([row(OURS, THEIRS, inode=0), row(THEIRS, OURS)], None),
        # two users: nobody can say which one it is
        ([row(OURS, THEIRS), row(THEIRS, OURS, user=1), row(V6 + THEIRS, V6 + OURS, user=2)], None),
    ],
)
def test_the_whole_connection_must_be_in_the_tables(rows: list[str], user: int | None) -> None:
    assert user_of(PEER, SERVER, table(*rows)) == user


def test_at_a_wildcard_address_a_connection_must_be_the_only_one_of_its_peer() -> None:
    other = "0200007F:1388"  # 127.0.0.2, the same port
    one = [row(OURS, THEIRS), row(THEIRS, OURS, user=7)]
    two = [*one, row(other, THEIRS), row(THEIRS, other, user=8)]
    assert user_of(PEER, ("0.0.0.0", 5000), table(*one)) == 7
    assert user_of(PEER, ("0.0.0.0", 5000), table(*two)) is None
    assert user_of(PEER, SERVER, table(*two)) == 7
    assert user_of(PEER, ("127.0.0.2", 5000), table(*two)) == 8
