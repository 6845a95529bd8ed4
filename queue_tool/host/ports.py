"""Ports: whether this process can listen on them. `up` checks this too, without loading the web server."""

from __future__ import annotations

import socket

from queue_tool.errors import PortTaken


def require_free(host: str, port: int) -> None:
    """Check that a process can listen on this address.

    Raises:
        PortTaken: another process listens there, or the address does not belong to this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(
                f"Cannot listen on {host}:{port}: {error.strerror}. Set QUEUE_TOOL_HOST or QUEUE_TOOL_PORT."
            ) from None
