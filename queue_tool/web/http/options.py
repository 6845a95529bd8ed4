"""OPTIONS: the methods of a path. It needs no key, because the documentation shows the same."""

from __future__ import annotations

from flask import Response, current_app, request

NO_CONTENT = 204


def answer_options() -> Response | None:
    """Answer OPTIONS on a known path with the methods of all its routes. No access check and no view runs."""
    if request.method != "OPTIONS" or request.url_rule is None:
        return None
    response = current_app.make_default_options_response()
    response.headers["Allow"] = ", ".join(sorted(response.allow))
    response.status_code = NO_CONTENT
    del response.headers["Content-Type"]
    return response
