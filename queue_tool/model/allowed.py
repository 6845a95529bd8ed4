"""The receivers outside of the public internet that webhooks may reach: QUEUE_TOOL_WEBHOOK_ALLOW."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from queue_tool.errors import BadWebhook
from queue_tool.model.addresses import Address, is_public, target_of
from queue_tool.model.receivers import Receiver, host_of

_ENTRIES = (
    "networks, addresses and names of hosts, separated by commas, the last two with a port if only this one is "
    "allowed, such as `10.1.0.0/16, [fd00::1]:8080, hooks.internal`"
)
_MAX_PORT = 65_535

_with_port = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?").fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One entry: a network or a name."""

    network: IPv4Network | IPv6Network | None
    name: str | None
    port: int | None  # None: every port


class Allowed:
    """Judges the addresses of a receiver."""

    def __init__(self, entries: Sequence[str]) -> None:
        """Read the entries.

        Raises:
            ValueError: one of them is neither a network nor a host. The error describes valid ones.
        """
        self._entries = [_entry(text) for text in entries]

    def has_name(self, receiver: Receiver) -> bool:
        """Return whether an entry names the host of this receiver, so that all of its addresses are allowed."""
        return any(
            entry.name == receiver.host and entry.port in (None, receiver.port)
            for entry in self._entries
            if entry.name is not None
        )

    def has(self, address: Address, port: int) -> bool:
        """Return whether an address is public, or in an entry."""
        return is_public(address) or any(
            found in entry.network and entry.port in (None, port)
            for entry in self._entries
            if entry.network is not None
            for found in (address, target_of(address))
        )

    def refused(self, receiver: Receiver, addresses: Sequence[Address]) -> Address | None:
        """Return the first address of a receiver that must not be reached; None if all may be."""
        if self.has_name(receiver):
            return None
        return next((address for address in addresses if not self.has(address, receiver.port)), None)


def read_allow(text: str) -> tuple[str, ...]:
    """Return the entries of the setting, one text each.

    Raises:
        ValueError: one of them is neither a network nor a host. The error describes valid ones.
    """
    entries = tuple(entry.strip() for entry in text.split(",") if entry.strip())
    Allowed(entries)
    return entries


def _entry(text: str) -> _Entry:
    try:
        if "/" in text:
            return _Entry(network=ip_network(text), name=None, port=None)
        if text.count(":") > 1 and "[" not in text and "%" not in text:
            return _Entry(network=ip_network(ip_address(text)), name=None, port=None)
        parts = _with_port(text.lower())
        if parts is None or not 0 < int(parts["port"] or 1) <= _MAX_PORT:
            raise ValueError(_ENTRIES)
        host, address = host_of(parts["host"])
    except (ValueError, BadWebhook):
        raise ValueError(_ENTRIES) from None
    port = int(parts["port"]) if parts["port"] else None
    if address is None:
        return _Entry(network=None, name=host, port=port)
    return _Entry(network=ip_network(address), name=None, port=port)
