"""Ports: whether one can listen there. The supervisor asks too, and need not load what serves."""

from __future__ import annotations

import socket

from queue_tool.errors import PortTaken


def require_free(host: str, port: int) -> None:
    """Do nothing if one could listen there.

    Raises:
        PortTaken: another process does, or the address is none of this machine's.
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
