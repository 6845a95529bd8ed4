"""Error responses: the HTTP status of each error code; problem details (RFC 9457) for programs, pages for browsers."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import Flask, Response, current_app, render_template, request
from msgspec import UNSET, structs
from werkzeug.exceptions import (
    ClientDisconnected,
    HTTPException,
    MethodNotAllowed,
    NotFound,
    RequestedRangeNotSatisfiable,
    RequestEntityTooLarge,
)
from werkzeug.http import HTTP_STATUS_CODES

from queue_tool import errors
from queue_tool.errors import QueueToolError
from queue_tool.model.payloads.batches import FieldProblem
from queue_tool.model.payloads.service import Problem
from queue_tool.web.http import admission, request_ids
from queue_tool.web.http.answers import answer

STATUSES: dict[str, int] = {
    errors.BadRequest.code: 400,
    errors.MalformedJson.code: 400,
    errors.NotAnArray.code: 400,
    errors.BadTask.code: 400,
    errors.BadContinuation.code: 400,
    errors.BadSchedule.code: 400,
    errors.BadTokens.code: 400,
    errors.BadWebhook.code: 400,
    errors.BadParameter.code: 400,
    errors.BadCursor.code: 400,
    errors.BadIdempotencyKey.code: 400,
    errors.IncompleteBody.code: 400,
    errors.Unauthorized.code: 401,
    errors.Forbidden.code: 403,
    errors.NotFound.code: 404,
    errors.TaskNotFound.code: 404,
    errors.NoResult.code: 404,
    errors.BatchNotFound.code: 404,
    errors.QueueNotFound.code: 404,
    errors.WebhookNotFound.code: 404,
    errors.DeliveryNotFound.code: 404,
    errors.ScheduleNotFound.code: 404,
    errors.KeyNotFound.code: 404,
    errors.HostNotFound.code: 404,
    errors.EmptyMessage.code: 404,
    errors.ReceiptNotFound.code: 404,
    errors.MethodNotAllowed.code: 405,
    errors.NotAcceptable.code: 406,
    errors.BodyTooSlow.code: 408,
    errors.TaskEnded.code: 409,
    errors.TaskNotRetried.code: 409,
    errors.UniqueKeyTaken.code: 409,
    errors.BatchSealed.code: 409,
    errors.WrongStart.code: 409,
    errors.WebhookDisabled.code: 409,
    errors.ScheduleInCode.code: 409,
    errors.NoSupervisor.code: 409,
    errors.SeveralSupervisors.code: 409,
    errors.OutOfBounds.code: 409,
    errors.TaskRemoved.code: 410,
    errors.BodyTooLarge.code: 413,
    errors.TooManyItems.code: 413,
    errors.MessageTooLarge.code: 413,
    errors.UnsupportedMediaType.code: 415,
    errors.RangeNotSatisfiable.code: 416,
    errors.IdempotencyKeyReused.code: 422,
    errors.TooManyWaiting.code: 429,
    errors.TooManyMessages.code: 429,
    errors.StoreAway.code: 503,
    errors.CommitUnknown.code: 503,
    errors.PartlyChanged.code: 503,
    errors.TooManyUploads.code: 503,
    errors.TooManyStreams.code: 503,
    errors.TooManyFollowers.code: 503,
}
"""The HTTP status of each error code. A code that is not listed is a bug in this service and gets 500."""

BUG = 500
"""The status of `internal_error`, the one code that is not in the table."""

DOCUMENTED_AT = "/docs/errors"
"""The path of the page with an entry for each code. `type` leads to the entry."""

MESSAGE_QUEUES = "/api/queue"
"""The beginning of the paths whose answers all have `success`."""

Advise = Callable[[str, str], str | None]
"""Returns what to use instead of a route that does not exist, from its method and path; None if that is not known."""

EXTENSION = "queue_tool.advise"
"""In the extensions of the application: its `Advise`."""

_OF_WERKZEUG: dict[type[HTTPException], type[QueueToolError]] = {
    NotFound: errors.NotFound,
    MethodNotAllowed: errors.MethodNotAllowed,
    RequestEntityTooLarge: errors.BodyTooLarge,
    RequestedRangeNotSatisfiable: errors.RangeNotSatisfiable,
    ClientDisconnected: errors.IncompleteBody,
}

_log = logging.getLogger("queue_tool.web")


def register(app: Flask, advise: Advise) -> None:
    """Register the handlers of this module for all errors of the application."""
    app.extensions[EXTENSION] = advise
    app.register_error_handler(QueueToolError, _respond)
    app.register_error_handler(HTTPException, _respond_to_http)
    app.register_error_handler(Exception, _respond_to_bug)


def _respond(error: QueueToolError) -> Response:
    if error.code not in STATUSES:
        return _respond_to_bug(error)
    response = _rendered(error, STATUSES[error.code])
    if isinstance(error, errors.StoreAway):
        _log.warning("the database is away: %s", error.reason)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.Unauthorized):
        response.headers["WWW-Authenticate"] = 'Bearer realm="queue_tool"'
    return response


def _respond_to_http(error: HTTPException) -> Response:
    """Answer an error of werkzeug with the error of ours that means the same; clients then know only our codes."""
    kind = _OF_WERKZEUG.get(type(error))
    if kind is None:
        if (error.code or BUG) >= BUG:
            return _respond_to_bug(error)
        kind = errors.BadRequest  # so HTTP reads every 4xx status that it does not know (RFC 9110, section 15)
    response = _respond(kind(_advice(kind)))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    if isinstance(error, RequestedRangeNotSatisfiable) and error.length is not None:
        response.headers["Content-Range"] = f"{error.units} */{error.length}"
    return response


def _advice(kind: type[QueueToolError]) -> str | None:
    """Return the sentence about a route that only an earlier system has; None for the usual sentence."""
    advise: Advise = current_app.extensions[EXTENSION]
    is_about_route = kind in (errors.NotFound, errors.MethodNotAllowed)
    return advise("GET" if request.method == "HEAD" else request.method, request.path) if is_about_route else None


def _respond_to_bug(error: Exception) -> Response:
    """Handle a bug in this service: log it with its traceback, and send the client a general error."""
    if type(error) is not QueueToolError:  # that one comes from the server, which has logged the bug already
        _log.error("unexpected error in %s %s", request.method, request.path, exc_info=error)
    return _rendered(QueueToolError(), BUG)


def _rendered(error: QueueToolError, status: int) -> Response:
    problem = problem_of(error, status, request_ids.of(request.environ))
    if request.path.startswith(MESSAGE_QUEUES):
        problem = structs.replace(problem, success=False)
    if _prefers_html():
        return Response(_page_of(error, problem), status, mimetype="text/html")
    return answer(problem, status, "application/problem+json")


def _page_of(error: QueueToolError, problem: Problem) -> str:
    """Return the page about an error; the form to log in, if that is all that is missing to read a page."""
    if isinstance(error, errors.Unauthorized) and request.method == "GET" and _can_log_in():
        target = request.full_path.rstrip("?")
        return render_template("login.html", target=target, is_needed=True, is_refused=False)
    is_usual = problem.detail == error.default_sentence()
    return render_template("problem.html", problem=problem, is_usual=is_usual, is_form=request.method == "POST")


def _can_log_in() -> bool:
    try:
        return admission.keys_exist()
    except errors.StoreAway:
        return False


def problem_of(error: QueueToolError, status: int, request_id: str) -> Problem:
    """Return the document about an error. Its title and its type depend only on the code of the error."""
    reasons = [FieldProblem(**reason) for reason in error.errors] if isinstance(error, errors.BadTask) else UNSET
    return Problem(
        type=f"{DOCUMENTED_AT}#{error.code}",
        title=HTTP_STATUS_CODES[status],
        status=status,
        detail=error.sentence,
        code=error.code,
        message=error.sentence,
        request_id=request_id,
        errors=reasons,
        total=error.total if isinstance(error, errors.WrongStart) else UNSET,
    )


def _prefers_html() -> bool:
    """Return whether the client prefers HTML, as browsers do. All other clients get problem details."""
    kinds = request.accept_mimetypes
    return kinds.best_match(["application/problem+json", "application/json", "text/html"]) == "text/html"
