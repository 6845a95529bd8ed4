"""Access: the roles of API keys, and the rule for a service without keys. Pure; `queue_tool.web` calls it.

While the store has never had an API key, the service answers only requests that come from this machine. Every property
of the request must show this. Otherwise a web page in the user's browser, or a reverse proxy, would give everyone
access.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from queue_tool.errors import Forbidden, Unauthorized

FORWARDING_HEADERS = ("Forwarded", "X-Real-IP", "Via")
"""Headers that a proxy adds; `X-Forwarded-*` count as well."""

MODERN = ("HTTP/1.1", "HTTP/2", "HTTP/2.0", "HTTP/3", "HTTP/3.0")
"""Versions of HTTP that require a Host header, as WSGI servers write them."""

NOT_LOCAL = (
    "Without an API key, only requests from this machine are served. Create a key with `queue-tool keys create` and "
    "send it as `Authorization: Bearer <key>`."
)


class Role(IntEnum):
    """What an API key permits, or what a route requires. Each role includes the roles before it."""

    OPEN = 0  # no key needed
    READ = 1  # read everything
    SUBMIT = 2  # also submit tasks
    ADMIN = 3  # everything


KEY_ROLES = {role.name.lower(): role for role in (Role.READ, Role.SUBMIT, Role.ADMIN)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What the store keeps of an API key. It keeps the key's digest, never the key itself."""

    id: str
    name: str
    role: Role
    created_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """The properties of a request that show where it comes from."""

    peer: str  # address at the other end of the connection
    host: str  # the Host header, with or without a port
    protocol: str  # as in WSGI: "HTTP/1.1"
    headers: frozenset[str]  # names of the request's headers, in lower case
    sec_fetch_site: str | None  # the Sec-Fetch-Site header: from which site a browser sent the request

    def is_local(self) -> bool:
        """Return whether every property shows that the request comes from this machine."""
        return (
            is_loopback(self.peer)
            and is_loopback(_without_port(self.host))
            and not self._came_through_a_proxy()
            and self.sec_fetch_site in (None, "same-origin", "none")
            and self.protocol in MODERN
        )

    def _came_through_a_proxy(self) -> bool:
        known = {name.lower() for name in FORWARDING_HEADERS}
        return any(name in known or name.startswith("x-forwarded-") for name in self.headers)


def digest(key: str) -> str:
    """Return the digest of a key, which the store keeps.

    One round of SHA-256 is enough, because a key has 256 random bits and cannot be guessed.
    """
    return hashlib.sha256(key.encode()).hexdigest()


def admit(needed: Role, visitor: Visitor, *, presented: bool, role: Role | None, keys_exist: bool) -> None:
    """Admit a request, or raise the reason for a refusal.

    Args:
        needed: the role that the route requires.
        visitor: the properties that show where the request comes from.
        presented: whether the request has an API key.
        role: the role of that key; None if there is no key or it is not valid.
        keys_exist: whether the store has ever had an API key.

    Raises:
        Unauthorized: a key is needed, or the key is not valid.
        Forbidden: the key is valid, but its role is not sufficient.
    """
    if needed is Role.OPEN:
        return
    if presented and role is None:
        raise Unauthorized("This API key is not valid.")
    if role is not None:
        if role < needed:
            raise Forbidden(f"This request needs an API key with the role {needed.name.lower()} or higher.")
        return
    if keys_exist:
        raise Unauthorized
    if not visitor.is_local():
        raise Unauthorized(NOT_LOCAL)


def is_loopback(host: str) -> bool:
    """Return whether a host name or address means this machine. No name is resolved."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host[1:-1] if host[:1] == "[" and host[-1:] == "]" else host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _without_port(host: str) -> str:
    return re.sub(r":[0-9]{1,5}$", "", host)
