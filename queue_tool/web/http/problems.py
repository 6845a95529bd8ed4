"""Errors in HTTP: one table of statuses; problem details (RFC 9457) for programs, pages for people."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge
from werkzeug.http import HTTP_STATUS_CODES

from queue_tool import errors
from queue_tool.errors import QueueToolError
from queue_tool.web.http.answers import answer
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
    errors.Unauthorized.code: 401,
    errors.Forbidden.code: 403,
    errors.NotFound.code: 404,
    errors.TaskNotFound.code: 404,
    errors.BatchNotFound.code: 404,
    errors.QueueNotFound.code: 404,
    errors.MethodNotAllowed.code: 405,
    errors.NotAcceptable.code: 406,
    errors.TaskEnded.code: 409,
    errors.TaskNotRetried.code: 409,
    errors.UniqueKeyTaken.code: 409,
    errors.BodyTooLarge.code: 413,
    errors.TooManyItems.code: 413,
    errors.UnsupportedMediaType.code: 415,
    errors.IdempotencyKeyReused.code: 422,
    errors.TooManyWaiting.code: 429,
    errors.StoreAway.code: 503,
    errors.TooManyUploads.code: 503,
    errors.TooManyStreams.code: 503,
}
"""What a code means in HTTP; one that is not here can only be a mistake of ours: 500."""

_OF_WERKZEUG: dict[type[HTTPException], type[QueueToolError]] = {
    NotFound: errors.NotFound,
    MethodNotAllowed: errors.MethodNotAllowed,
    RequestEntityTooLarge: errors.BodyTooLarge,
}

_log = logging.getLogger("queue_tool.web")


def register(app: Flask) -> None:
    """Answer every error of this application here."""
    app.register_error_handler(QueueToolError, _known)
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(Exception, _unknown)


def _known(error: QueueToolError) -> Response:
    why = {"errors": error.errors} if isinstance(error, errors.BadTask) else {}
    response = _rendered(STATUSES.get(error.code, 500), error.code, error.sentence, why)
    if isinstance(error, errors.StoreAway):
        _log.warning("the database is away: %s", error.reason)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.Unauthorized):
        response.headers["WWW-Authenticate"] = 'Bearer realm="queue_tool"'
    return response


def _of_http(error: HTTPException) -> Response:
    kind = _OF_WERKZEUG.get(type(error))
    if kind is not None:
        response = _known(kind())
    else:
        response = _rendered(error.code or 500, "http_error", error.description or error.name)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def _unknown(error: Exception) -> Response:
    """Answer a mistake of ours: the log gets all of it, the client only that it happened."""
    _log.error("unexpected error in %s %s", request.method, request.path, exc_info=error)
    return _known(QueueToolError())


def _rendered(status: int, code: str, sentence: str, more: Mapping[str, object] = MappingProxyType({})) -> Response:
    title = HTTP_STATUS_CODES.get(status, "Error")
    if _is_for_a_person():
        page = render_template("problem.html", status=status, title=title, sentence=sentence, words=words())
        return Response(page, status=status, mimetype="text/html")
    problem = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": sentence,
        "code": code,
        "message": sentence,
        **more,
    }
    return answer(problem, status, "application/problem+json")


def _is_for_a_person() -> bool:
    """Tell whether the client would rather have a page, as browsers say; all others get the document."""
    kinds = request.accept_mimetypes
    return kinds.best_match(["application/problem+json", "application/json", "text/html"]) == "text/html"
