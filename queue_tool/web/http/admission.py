"""Access: each operation declares the role that it needs; a route that is no declared operation is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flask import Response, current_app, g, request

from queue_tool.errors import Forbidden, UnsupportedMediaType
from queue_tool.host import peers
from queue_tool.model import access
from queue_tool.model.access import ApiKey, Role
from queue_tool.model.visitor import Visitor
from queue_tool.web.http import known_keys
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.bodies import has_body
from queue_tool.web.http.known_keys import KnownKeys
from queue_tool.web.http.operation import ANY, JSON, Operation

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

FORM = ("application/x-www-form-urlencoded", "multipart/form-data")
"""Media types that a browser sends for any page, without asking this server. A view that takes them checks the site."""

PLAIN = "identity"
"""The value of `Content-Encoding` that means no encoding (RFC 9110)."""

SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
"""Methods that change nothing (RFC 9110)."""


def role_needed(endpoint: str) -> Role | None:
    """Return the role that an endpoint needs; None if it is not a declared operation."""
    if endpoint == "static":
        return Role.OPEN
    view = current_app.view_functions[endpoint]
    return view.role if isinstance(view, Operation) else None


def admit() -> None:
    """Check the access of the current request and store its key and rights in `g`.

    Raises:
        Unauthorized: the request needs an API key, or its key is not valid.
        Forbidden: the role of its key is not sufficient, a page of another site sent it, or the route declares no role.
        UnsupportedMediaType: the body is compressed, or has a media type that the route does not take.
    """
    g.key_id = g.key_name = ""
    g.role = Role.ADMIN
    g.may = _everything
    if request.endpoint is None:
        return  # an unknown path has nothing to protect
    needed = role_needed(request.endpoint)
    if needed is None:
        raise Forbidden("This route has no access rule.")
    if needed is not Role.OPEN:
        _admit_to(needed)
    if request.method not in SAFE and has_body():
        if request.headers.get("Content-Encoding", PLAIN).strip().lower() not in ("", PLAIN):
            raise UnsupportedMediaType("The header Content-Encoding is not supported: send the body uncompressed.")
        taken = _types_taken(request.endpoint)
        if taken is not ANY and request.mimetype not in taken:
            raise UnsupportedMediaType
    if request.method not in SAFE and _types_taken(request.endpoint) is FORM:
        refuse_other_sites()


def _admit_to(needed: Role) -> None:
    keys: KnownKeys = current_app.extensions[known_keys.EXTENSION]
    found = key_of(request.environ, needed, keys, auth=runtime().settings.auth)
    if found:
        g.key_id, g.key_name = found.id, found.name
        g.role = found.role
        g.may = found.role.__ge__


def key_of(environ: WSGIEnvironment, needed: Role, keys: KnownKeys, *, auth: str) -> ApiKey | None:
    """Check the access of a request.

    Args:
        environ: the request.
        needed: the role that it needs, not `OPEN`.
        keys: the API keys.
        auth: the setting `AUTH`.

    Returns:
        Its key; None if it needs none.

    Raises:
        Unauthorized: the request needs an API key, or its key is not valid.
        Forbidden: the role of its key is not sufficient, or a page of another site sent it.
    """
    if auth == "off":
        access.admit_all(_visitor(environ), changes=environ["REQUEST_METHOD"] not in SAFE)
        return None
    presented = _presented_key(environ)
    if presented is None:
        found = keys.of_session(environ.get("HTTP_COOKIE", ""))
        if found and environ["REQUEST_METHOD"] not in SAFE:
            access.admit_change_of_session(_visitor(environ))
    else:
        found = keys.find(presented) if presented else None
    access.admit(
        needed,
        _visitor(environ),
        presented=presented is not None,
        role=found.role if found else None,
        keys_exist=found is not None or keys.exist(),
    )
    return found


def _types_taken(endpoint: str) -> Sequence[str]:
    view = current_app.view_functions[endpoint]
    return view.takes if isinstance(view, Operation) else JSON


def _everything(_: Role) -> bool:
    """Allow every role: this request needs no key."""
    return True


def refuse_other_sites() -> None:
    """Refuse a form of another site. Browsers send such forms with the credentials that they keep for this site.

    Raises:
        Forbidden: the headers of the browser name another site.
    """
    sign = _visitor(request.environ).sign_of_a_foreign_page()
    if sign:
        raise Forbidden(f"Forms on other sites cannot change anything here, and {sign}: open the form at this address.")


def start_session(response: Response, secret: str) -> bool:
    """Let a response start a session with an API key; return False if the key is not valid.

    Raises:
        StoreAway: the database cannot be reached.
    """
    keys: KnownKeys = current_app.extensions[known_keys.EXTENSION]
    found = keys.find(secret) if secret else None
    if found is not None:
        keys.sessions.start(response, found)
    return found is not None


def end_session(response: Response) -> None:
    """Let a response end the session of its browser."""
    keys: KnownKeys = current_app.extensions[known_keys.EXTENSION]
    keys.sessions.end(response)


def keys_exist() -> bool:
    """Return whether somebody can log in with an API key.

    Raises:
        StoreAway: the database cannot be reached.
    """
    keys: KnownKeys = current_app.extensions[known_keys.EXTENSION]
    return keys.exist()


def _presented_key(environ: WSGIEnvironment) -> str | None:
    scheme, _, key = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None


def _visitor(environ: WSGIEnvironment) -> Visitor:
    return Visitor(
        peer=environ.get("REMOTE_ADDR", ""),
        host=environ.get("HTTP_HOST", ""),
        protocol=environ.get("SERVER_PROTOCOL", ""),
        headers=frozenset(name[5:].replace("_", "-").lower() for name in environ if name.startswith("HTTP_")),
        origin=environ.get("HTTP_ORIGIN"),
        sec_fetch_site=environ.get("HTTP_SEC_FETCH_SITE"),
        is_ours=lambda: _peer_is_ours(environ),
    )


def _peer_is_ours(environ: WSGIEnvironment) -> bool:
    """Return whether our own user or root sent a request, or the server does not tell the peer's port."""
    if "REMOTE_PORT" not in environ:
        return True
    try:
        peer = (environ.get("REMOTE_ADDR", ""), int(environ["REMOTE_PORT"]))
        server = (environ["SERVER_NAME"], int(environ["SERVER_PORT"]))
    except (KeyError, ValueError):
        return False
    return peers.is_ours(peer, server)
