"""Who may do what: roles, and the rule for a service that has no keys yet. Pure; `queue_tool.web` asks it.

Without an API key in the store, a request is served only when it comes from this machine by every sign that a
request carries: otherwise a page open in a browser, or a proxy in front, would lend its user's access to the
whole world.
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
"""Versions of HTTP in which the Host header cannot be left out, as WSGI servers write them."""

NOT_LOCAL = (
    "Without an API key only this machine is served: make a key with `queue-tool keys create` and send it as "
    "`Authorization: Bearer <key>`."
)


class Role(IntEnum):
    """What a key, or a route's visitor, may do. Each role may do all that the ones before it may."""

    OPEN = 0  # needs no key at all
    READ = 1  # look at everything
    SUBMIT = 2  # also send work
    ADMIN = 3  # everything


KEY_ROLES = {role.name.lower(): role for role in (Role.READ, Role.SUBMIT, Role.ADMIN)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as it is kept: never the key itself, only its digest."""

    id: str
    name: str
    role: Role
    created_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """The signs by which a request's origin is judged."""

    peer: str  # address at the other end of the connection
    host: str  # the Host header, with or without a port
    protocol: str  # as in WSGI: "HTTP/1.1"
    headers: frozenset[str]  # names of the headers it carries, in lower case
    sec_fetch_site: str | None  # what a browser says of where the request began

    def is_local(self) -> bool:
        """Tell whether every sign says that the request began on this machine."""
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
    """Return what is kept of a key. One SHA-256 is enough: a key has 256 random bits and cannot be guessed."""
    return hashlib.sha256(key.encode()).hexdigest()


def admit(needed: Role, visitor: Visitor, *, presented: bool, role: Role | None, keys_exist: bool) -> None:
    """Let a request pass, or say why not.

    Args:
        needed: what the route asks for.
        visitor: where the request came from.
        presented: whether the request carried a key at all.
        role: the role of that key; None where no such key is valid.
        keys_exist: whether a key was ever made.

    Raises:
        Unauthorized: a key is needed, or the one that was sent is not valid.
        Forbidden: the key is valid and its role is too small.
    """
    if needed is Role.OPEN:
        return
    if presented and role is None:
        raise Unauthorized("This API key is not valid.")
    if role is not None:
        if role < needed:
            raise Forbidden(f"This needs a key of the role {needed.name.lower()} or above.")
        return
    if keys_exist:
        raise Unauthorized
    if not visitor.is_local():
        raise Unauthorized(NOT_LOCAL)


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address means this machine, by itself and without asking any resolver."""
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
