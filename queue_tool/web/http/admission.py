"""Admission: each route says which role it needs, and nothing without a rule is served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import current_app, g, request

from queue_tool.errors import Forbidden
from queue_tool.model import access
from queue_tool.model.access import Role, Visitor
from queue_tool.web.http.answers import runtime

View = TypeVar("View", bound=Callable[..., Any])

_RULE = "needed_role"


def needs(role: Role) -> Callable[[View], View]:
    """Say which role a view needs; this stands under the route's own decorator."""

    def mark(view: View) -> View:
        setattr(view, _RULE, role)
        return view

    return mark


def role_needed(endpoint: str) -> Role | None:
    """Return the role that an endpoint needs; None where nobody has said."""
    if endpoint == "static":
        return Role.OPEN
    return getattr(current_app.view_functions[endpoint], _RULE, None)


def admit() -> None:
    """Let the current request pass, or refuse it.

    Raises:
        Unauthorized: it needs an API key, or the one that it carries is not valid.
        Forbidden: its key's role is too small, or the route has no rule.
    """
    g.key_id = g.key_name = ""
    g.may = _everything
    if request.endpoint is None or runtime().settings.auth == "off":
        return  # an unknown address has nothing to guard
    needed = role_needed(request.endpoint)
    if needed is None:
        raise Forbidden("This route has no rule of access.")
    if needed is Role.OPEN:
        return
    presented = _presented_key()
    found = runtime().store.keys.find(access.digest(presented)) if presented else None
    if found:
        g.key_id, g.key_name = found.id, found.name
        g.may = found.role.__ge__
    access.admit(
        needed,
        _visitor(),
        presented=presented is not None,
        role=found.role if found else None,
        keys_exist=found is not None or runtime().store.keys.exist(),
    )


def _everything(_: Role) -> bool:
    """Say what somebody may who needs no key."""
    return True


def refuse_other_sites() -> None:
    """Refuse a form that stands on another site: a browser sends it with whatever opens the door here.

    Raises:
        Forbidden: the browser says that it comes from elsewhere.
    """
    origin = request.headers.get("Origin")
    elsewhere = origin is not None and urlsplit(origin).netloc != request.host
    if elsewhere or request.headers.get("Sec-Fetch-Site") not in (None, "same-origin", "none"):
        raise Forbidden("A form on another site cannot send work here.")


def _presented_key() -> str | None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None


def _visitor() -> Visitor:
    return Visitor(
        peer=request.remote_addr or "",
        host=request.headers.get("Host", ""),
        protocol=request.environ.get("SERVER_PROTOCOL", ""),
        headers=frozenset(name.lower() for name in request.headers.keys()),  # noqa: SIM118 - iterating gives pairs
        sec_fetch_site=request.headers.get("Sec-Fetch-Site"),
    )
