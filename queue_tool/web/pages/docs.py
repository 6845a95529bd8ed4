"""The page `/docs`: Swagger UI for `/openapi.json`. It loads only files of this server."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import flask_swagger_ui
from flask import Response, render_template, send_from_directory

from queue_tool.errors import NotFound
from queue_tool.model.access import Role
from queue_tool.web.http.operation import Group

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may load. Swagger UI's style sheet has its small images as `data:` URLs."""

FILES: Mapping[str, str] = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
"""The files of Swagger UI that the page needs, with their media types."""

_FOLDER = Path(flask_swagger_ui.__file__).with_name("dist")
_VERSION = version("flask-swagger-ui")
_ONE_YEAR = 365 * 24 * 3600  # seconds; the page names the version in the URL, so a new version is a new URL

pages = Group("docs", "The documentation in a browser.")


@pages.get("/docs", Role.OPEN, in_document=False)
def show_docs() -> Response:
    """Show this API in a browser, and send requests to it.

    The page has no data itself: its script reads `/openapi.json`, which needs a key if keys exist.
    """
    page = render_template("docs.html", version=_VERSION)
    return Response(
        page, mimetype="text/html", headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
    )


@pages.get("/docs/assets/<name>", Role.OPEN, in_document=False, takes_any_query=True)
def get_asset(name: str) -> Response:
    """Read a file of this page."""
    if name not in FILES:
        raise NotFound
    found = send_from_directory(_FOLDER, name, mimetype=FILES[name], max_age=_ONE_YEAR)
    found.cache_control.immutable = True
    return found
