"""What is wrong with a request, or with what it asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from queue_tool.errors.base import QueueToolError

# -- what a client sent ------------------------------------------------------------------------------------


class BadRequest(QueueToolError):
    """The request cannot be understood."""

    code = "bad_request"


class MalformedJson(BadRequest):
    """The body is not valid JSON."""

    code = "malformed_json"


class NotAnArray(BadRequest):
    """The body must be a JSON array of items."""

    code = "not_an_array"


class BadTask(BadRequest):
    """This is no task; `errors` says why."""

    code = "bad_task"

    errors: Sequence[Mapping[str, str]] = ()

    @classmethod
    def because(cls, errors: Sequence[Mapping[str, str]]) -> BadTask:
        """Return one with its reasons: of each the `path`, a JSON Pointer, and the `message`."""
        error = cls()
        error.errors = errors
        return error


class BadTokens(BadRequest):
    """The body must be a JSON object with "tokens", an array of strings."""

    code = "bad_tokens"


class BadParameter(BadRequest):
    """A query parameter is not known here, or has a value that cannot be used."""

    code = "bad_parameter"


class BadCursor(BadRequest):
    """This cursor is of no list with these parameters; begin with the first page, and follow `next`."""

    code = "bad_cursor"


class BadIdempotencyKey(BadRequest):
    """Idempotency-Key must have 1 to 255 characters."""

    code = "bad_idempotency_key"


class IdempotencyKeyReused(QueueToolError):
    """This Idempotency-Key was used with another body in the last 24 hours."""

    code = "idempotency_key_reused"


class UnsupportedMediaType(QueueToolError):
    """The Content-Type must be application/json."""

    code = "unsupported_media_type"


class BodyTooLarge(QueueToolError):
    """The body is larger than QUEUE_TOOL_MAX_BODY allows."""

    code = "body_too_large"


class TooManyItems(QueueToolError):
    """The array has more elements than one request may have."""

    code = "too_many_items"


class TooManyWaiting(QueueToolError):
    """Too many tasks are waiting already; send this again later."""

    code = "too_many_waiting"


class TooManyUploads(QueueToolError):
    """Two large bodies are being read already; send this again in a moment."""

    code = "too_many_uploads"


# -- what a client asked for -------------------------------------------------------------------------------


class NotFound(QueueToolError):
    """There is nothing at this address."""

    code = "not_found"


class TaskNotFound(NotFound):
    """Job not found"""

    code = "task_not_found"


class BatchNotFound(NotFound):
    """There is no batch with this id."""

    code = "batch_not_found"


class QueueNotFound(NotFound):
    """There is no queue of this name."""

    code = "queue_not_found"


class KeyNotFound(NotFound):
    """There is no API key with this id."""

    code = "key_not_found"


class TaskEnded(QueueToolError):
    """This task has ended already."""

    code = "task_ended"


class TaskNotRetried(QueueToolError):
    """Only a task that failed or was canceled can be retried."""

    code = "task_not_retried"


class UniqueKeyTaken(QueueToolError):
    """Another task that has not ended has the unique key of this one."""

    code = "unique_key_taken"


class NotAcceptable(QueueToolError):
    """This does not come in any form that the request accepts."""

    code = "not_acceptable"


class TooManyStreams(QueueToolError):
    """Enough results are being read already; ask for these again in a moment."""

    code = "too_many_streams"


class MethodNotAllowed(QueueToolError):
    """This address does not answer to this method."""

    code = "method_not_allowed"


# -- who asked ---------------------------------------------------------------------------------------------


class Unauthorized(QueueToolError):
    """This request needs an API key: make one with `queue-tool keys create`, send it as a Bearer token."""

    code = "unauthorized"


class Forbidden(QueueToolError):
    """This API key's role does not allow this request."""

    code = "forbidden"
