"""Access: each route declares the role that it needs; a route without a declared role is refused."""

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
    """Return a decorator that declares the role that a view needs. Put it below the route's decorator."""

    def mark(view: View) -> View:
        setattr(view, _RULE, role)
        return view

    return mark


def role_needed(endpoint: str) -> Role | None:
    """Return the role that an endpoint needs; None if its view declares none."""
    if endpoint == "static":
        return Role.OPEN
    return getattr(current_app.view_functions[endpoint], _RULE, None)


def admit() -> None:
    """Check the access of the current request and store its key and rights in `g`.

    Raises:
        Unauthorized: the request needs an API key, or its key is not valid.
        Forbidden: the role of its key is not sufficient, or the route declares no role.
    """
    g.key_id = g.key_name = ""
    g.may = _everything
    if request.endpoint is None or runtime().settings.auth == "off":
        return  # an unknown path has nothing to protect
    needed = role_needed(request.endpoint)
    if needed is None:
        raise Forbidden("This route has no access rule.")
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
    """Allow every role: this request needs no key."""
    return True


def refuse_other_sites() -> None:
    """Refuse a form of another site. Browsers send such forms with the credentials that they keep for this site.

    Raises:
        Forbidden: the headers of the browser name another site.
    """
    origin = request.headers.get("Origin")
    other_origin = origin is not None and urlsplit(origin).netloc != request.host
    if other_origin or request.headers.get("Sec-Fetch-Site") not in (None, "same-origin", "none"):
        raise Forbidden("Forms on other sites cannot submit tasks here.")


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
