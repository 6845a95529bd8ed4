"""Ports: whether this process can listen on them. `up` checks this too, without loading the web server."""

from __future__ import annotations

import contextlib
import ipaddress
import socket

from queue_tool.errors import BadSetting, PortTaken


def resolved(host: str) -> str:
    """Return the address that a host of the settings stands for. A name of this machine itself is its IPv4 address.

    Raises:
        BadSetting: no address belongs to the name, or several do.
    """
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(host))
    try:
        found = {ipaddress.ip_address(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, ValueError) as error:  # a UnicodeError is a ValueError
        reason = error.strerror if isinstance(error, OSError) else "it is no name"
        raise BadSetting(f"QUEUE_TOOL_HOST must be an address or a name of this machine: {reason}.") from None
    addresses = sorted(found, key=lambda address: (address.version, str(address)))
    if len(addresses) > 1 and not all(address.is_loopback for address in addresses):
        listed = ", ".join(map(str, addresses))
        raise BadSetting(f"QUEUE_TOOL_HOST must be one address, and this name has several: choose one of {listed}.")
    return str(addresses[0])


def is_open(host: str, port: int) -> bool:
    """Return whether a server accepts connections at this address."""
    try:
        socket.create_connection((host, port), 1).close()
    except OSError:
        return False
    return True


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
