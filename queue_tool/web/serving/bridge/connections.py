"""The TCP connections of this process."""

from __future__ import annotations

import socket
from contextlib import suppress
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
        with suppress(OSError), socket.fromfd(int(file.name), socket.AF_INET, socket.SOCK_STREAM) as connection:
            if connection.getpeername()[:2] == client:
                connection.shutdown(socket.SHUT_RDWR)
                return True
    return False
