"""Access: the roles of API keys, and the rule for a service without keys. Pure; `queue_tool.web` calls it.

While the store has never had an API key, the service answers only requests that come from this machine. Every property
of the request must show this (`visitor.py`). Otherwise a web page in the user's browser, or a reverse proxy, would give
everyone access.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from queue_tool.errors import Forbidden, Unauthorized
from queue_tool.model.visitor import Visitor, is_loopback

NOT_LOCAL = (
    "Without an API key, only your own programs on this machine are served, and {sign}: create a key with "
    "`queue-tool keys create` and send it as `Authorization: Bearer <key>`."
)
"""The refusal while no API key exists."""

OTHER_SITE = (
    "Also with QUEUE_TOOL_AUTH=off pages of other sites are refused, and {sign}: open this service at the address in "
    "your browser's address bar, or let the proxy in front set the headers as docs/security.md says."
)
"""The refusal while keys are turned off."""

EVERYONE_HERE = "every user and every proxy of this machine may do everything until you run `queue-tool keys create`"
"""Who is served while no API key exists."""

EVERYONE = "everyone who reaches this address may do everything, because QUEUE_TOOL_AUTH is off"
"""Who is served while keys are turned off."""


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
    sign = visitor.sign_of_elsewhere()
    if sign:
        raise Unauthorized(NOT_LOCAL.format(sign=sign))


def admit_change_of_session(visitor: Visitor) -> None:
    """Admit a change that a browser sent with the cookie of a session, or raise the reason for a refusal.

    A browser adds the cookie by itself, so it must also say which page sent the request. All browsers do.

    Raises:
        Forbidden: a page of another site sent the request, or the request does not say which page did.
    """
    sign = visitor.sign_of_a_foreign_page()
    if visitor.origin is None and visitor.sec_fetch_site is None:
        sign = "this request has neither Origin nor Sec-Fetch-Site"
    if sign:
        raise Forbidden(f"With a session, only pages of this service change something, and {sign}.")


def admit_all(visitor: Visitor, *, changes: bool) -> None:
    """Admit a request while keys are turned off, or raise the reason for a refusal.

    Browsers on this machine reach loopback addresses, which no gate of the operator protects from their pages.

    Args:
        visitor: the properties that show where the request comes from.
        changes: whether the request may change something.

    Raises:
        Forbidden: a page of another site sent the request, or the Host header is not this machine's.
    """
    local = is_loopback(visitor.peer)
    sign = visitor.sign_of_another_site() if local else visitor.sign_of_a_foreign_page() if changes else None
    if sign:
        raise Forbidden(OTHER_SITE.format(sign=sign))
