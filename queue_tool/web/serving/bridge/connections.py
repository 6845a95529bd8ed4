"""The TCP connections of this process."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

OPEN_FILES = Path("/dev/fd")


def cut(client: tuple[str, int]) -> bool:
    """Cut the connection to a client, so that it cannot take a part of a response for the whole.

    granian has no function for this: it ends each response properly. So this looks for the socket among the open files.

    Args:
        client: IP address and port.

    Returns:
        Whether the connection was found.
    """
    for file in OPEN_FILES.iterdir():
        with suppress(OSError), _opened_again(int(file.name)) as connection:
            if connection is not None and connection.getpeername()[:2] == client:
                connection.shutdown(socket.SHUT_RDWR)
                return True
    return False


@contextmanager
def _opened_again(number: int) -> Iterator[socket.socket | None]:
    """Open a file of this process again during the block; None if it is not a socket. Others may close it meanwhile."""
    copy = os.dup(number)
    if not stat.S_ISSOCK(os.fstat(copy).st_mode):
        os.close(copy)  # a socket object could not be made, and would leave it open
        yield None
        return
    with socket.socket(fileno=copy) as connection:
        yield connection
