"""What all pages share: the response with a page, the way back after a form, and checks of what forms send."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlencode

from flask import Response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from queue_tool.errors import BadCursor, BadRequest, QueueToolError
from queue_tool.web.http.problems import STATUSES

OFTEN = 2
"""Seconds between two looks at a page whose content changes fast."""

SOMETIMES = 5
"""Seconds between two looks at a page that counts all tasks."""

SELDOM = 10
"""Seconds between two looks at a page that costs the database more."""


def page(template: str, status: int = 200, *, refresh: int = 0, **shown: object) -> Response:
    """Return a page.

    Args:
        template: the name of its template.
        status: its HTTP status.
        refresh: seconds after which its script looks for changes; 0: it does not.
        shown: the values that the template uses, beside those of every page.
    """
    return Response(render_template(template, refresh=refresh, **shown), status, mimetype="text/html")


def back_to(path: str, **query: object) -> BaseResponse:
    """Return the answer to a form: the way to a page that can be reloaded without sending the form again."""
    parts = {name: value for name, value in query.items() if value not in (None, "")}
    return redirect(f"{path}?{urlencode(parts)}" if parts else path, HTTPStatus.SEE_OTHER)


def local(path: str, default: str) -> str:
    """Return the path of a page of this service; the default if it may lead elsewhere."""
    is_local = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if is_local else default


def field(name: str) -> str:
    """Return the text of a field of the current form, without spaces at its ends; empty if it is missing.

    Raises:
        BadRequest: it contains a null character.
    """
    text = request.form.get(name, "").strip()
    if "\0" in text:
        raise BadRequest(f"The field {name!r:.80} contains a null character.")
    return text


def choice(name: str, known: tuple[str, ...]) -> str:
    """Return the text of a field that has one of a few values.

    Raises:
        BadRequest: it has another value.
    """
    text = field(name)
    if text not in known:
        raise BadRequest(f"The field {name} must be one of {', '.join(known)}, not {text[:40]!r}.")
    return text


def optional(name: str) -> str | None:
    """Return the text of a field of the current form, without spaces at its ends; None if it is missing or empty.

    Raises:
        BadRequest: it contains a null character.
    """
    return field(name) or None


def last_change(*known: str) -> str:
    """Return what the address of the page says about the last change; empty if it says nothing that is known."""
    found = request.args.get("done", "")
    return found if found in known else ""


def status_of(error: QueueToolError) -> int:
    """Return the HTTP status of an error that a form can show.

    Raises:
        QueueToolError: the error itself, if it is a bug of this service.
    """
    if error.code not in STATUSES:
        raise error
    return STATUSES[error.code]


def place_in_list() -> str | None:
    """Return the cursor in the address of a page.

    Raises:
        BadCursor: it cannot be one.
    """
    cursor = request.args.get("cursor") or None
    if cursor is not None and not cursor.isascii():
        raise BadCursor
    return cursor
