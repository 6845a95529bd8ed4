"""Error responses: the HTTP status of each error code; problem details (RFC 9457) for programs, pages for browsers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge
from werkzeug.http import HTTP_STATUS_CODES

from queue_tool import errors
from queue_tool.errors import QueueToolError
from queue_tool.model import json_text
from queue_tool.web.http.languages import words

STATUSES: dict[str, int] = {
    errors.BadRequest.code: 400,
    errors.MalformedJson.code: 400,
    errors.NotAnArray.code: 400,
    errors.BadTask.code: 400,
    errors.BadTokens.code: 400,
    errors.BadParameter.code: 400,
    errors.BadCursor.code: 400,
    errors.BadIdempotencyKey.code: 400,
    errors.IncompleteBody.code: 400,
    errors.Unauthorized.code: 401,
    errors.Forbidden.code: 403,
    errors.NotFound.code: 404,
    errors.TaskNotFound.code: 404,
    errors.BatchNotFound.code: 404,
    errors.QueueNotFound.code: 404,
    errors.MethodNotAllowed.code: 405,
    errors.NotAcceptable.code: 406,
    errors.BodyTooSlow.code: 408,
    errors.TaskEnded.code: 409,
    errors.TaskNotRetried.code: 409,
    errors.UniqueKeyTaken.code: 409,
    errors.TaskRemoved.code: 410,
    errors.BodyTooLarge.code: 413,
    errors.TooManyItems.code: 413,
    errors.UnsupportedMediaType.code: 415,
    errors.IdempotencyKeyReused.code: 422,
    errors.TooManyWaiting.code: 429,
    errors.StoreAway.code: 503,
    errors.CommitUnknown.code: 503,
    errors.PartlyChanged.code: 503,
    errors.TooManyUploads.code: 503,
    errors.TooManyStreams.code: 503,
}
"""The HTTP status of each error code. A code that is not listed is a bug in this service and gets 500."""

_OF_WERKZEUG: dict[type[HTTPException], type[QueueToolError]] = {
    NotFound: errors.NotFound,
    MethodNotAllowed: errors.MethodNotAllowed,
    RequestEntityTooLarge: errors.BodyTooLarge,
}

_log = logging.getLogger("queue_tool.web")


def register(app: Flask) -> None:
    """Register the handlers of this module for all errors of the application."""
    app.register_error_handler(QueueToolError, _respond)
    app.register_error_handler(HTTPException, _respond_to_http)
    app.register_error_handler(Exception, _respond_to_bug)


def _respond(error: QueueToolError) -> Response:
    details = {"errors": error.errors} if isinstance(error, errors.BadTask) else {}
    response = _rendered(STATUSES.get(error.code, 500), error.code, error.sentence, details)
    if isinstance(error, errors.StoreAway):
        _log.warning("the database is away: %s", error.reason)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.Unauthorized):
        response.headers["WWW-Authenticate"] = 'Bearer realm="queue_tool"'
    return response


def _respond_to_http(error: HTTPException) -> Response:
    kind = _OF_WERKZEUG.get(type(error))
    if kind is not None:
        response = _respond(kind())
    else:
        response = _rendered(error.code or 500, "http_error", error.description or error.name)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def _respond_to_bug(error: Exception) -> Response:
    """Handle a bug in this service: log it with its traceback, and send the client a general error."""
    _log.error("unexpected error in %s %s", request.method, request.path, exc_info=error)
    return _respond(QueueToolError())


def _rendered(status: int, code: str, sentence: str, more: Mapping[str, object] = MappingProxyType({})) -> Response:
    title = HTTP_STATUS_CODES.get(status, "Error")
    if _prefers_html():
        page = render_template("problem.html", status=status, title=title, sentence=sentence, words=words())
        return Response(page, status=status, mimetype="text/html")
    problem = Problem(
        type="about:blank", title=title, status=status, detail=sentence, code=code, message=sentence, **more
    )
    return answer(problem, status, "application/problem+json")


def _prefers_html() -> bool:
    """Return whether the client prefers HTML, as browsers do. All other clients get problem details."""
    kinds = request.accept_mimetypes
    return kinds.best_match(["application/problem+json", "application/json", "text/html"]) == "text/html"
