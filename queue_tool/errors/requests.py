"""Errors of a request: its content, the object that it names, or its permissions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from queue_tool.errors.base import QueueToolError

# -- invalid content ---------------------------------------------------------------------------------------


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
    """This is not a valid task. `errors` gives the reasons."""

    code = "bad_task"

    errors: Sequence[Mapping[str, str]] = ()

    @classmethod
    def because(cls, errors: Sequence[Mapping[str, str]]) -> BadTask:
        """Return the error with its reasons.

        Args:
            errors: for each reason its `path` (a JSON Pointer) and its `message`.
        """
        error = cls()
        error.errors = errors
        return error


class BadTokens(BadRequest):
    """The body must be a JSON object with "tokens", an array of strings."""

    code = "bad_tokens"


class BadParameter(BadRequest):
    """A query parameter is unknown or has an invalid value."""

    code = "bad_parameter"


class BadCursor(BadRequest):
    """This cursor does not belong to a list with these parameters. Start with the first page and follow `next`."""

    code = "bad_cursor"


class BadIdempotencyKey(BadRequest):
    """Idempotency-Key must have 1 to 255 characters."""

    code = "bad_idempotency_key"


class IdempotencyKeyReused(QueueToolError):
    """This Idempotency-Key was used with a different request in the last 24 hours. Use a new key."""

    code = "idempotency_key_reused"


class UnsupportedMediaType(QueueToolError):
    """The Content-Type must be application/json."""

    code = "unsupported_media_type"


class BodyTooLarge(QueueToolError):
    """The body is larger than QUEUE_TOOL_MAX_BODY allows."""

    code = "body_too_large"


class BodyTooSlow(QueueToolError):
    """The body arrived too slowly. Send this request again."""

    code = "body_too_slow"


class IncompleteBody(BadRequest):
    """The connection ended before the end of the body."""

    code = "incomplete_body"


class TooManyItems(QueueToolError):
    """The array has more elements than one request may contain."""

    code = "too_many_items"


class TooManyWaiting(QueueToolError):
    """Too many tasks are waiting. Send this request again later."""

    code = "too_many_waiting"


class TooManyUploads(QueueToolError):
    """The service is already handling too many large bodies. Send this request again in a moment."""

    code = "too_many_uploads"


# -- missing objects and impossible actions ----------------------------------------------------------------


class NotFound(QueueToolError):
    """There is nothing at this address."""

    code = "not_found"


class TaskNotFound(NotFound):
    """Job not found"""

    code = "task_not_found"


class BatchNotFound(NotFound):
    """There is no batch with this id."""

    code = "batch_not_found"


class TaskRemoved(QueueToolError):
    """The task of this Idempotency-Key has ended, and was removed since. It does not run again."""

    code = "task_removed"


class QueueNotFound(NotFound):
    """There is no queue with this name."""

    code = "queue_not_found"


class KeyNotFound(NotFound):
    """There is no API key with this id."""

    code = "key_not_found"


class TaskEnded(QueueToolError):
    """This task has already ended."""

    code = "task_ended"


class TaskNotRetried(QueueToolError):
    """Only a task that failed or was canceled can be retried."""

    code = "task_not_retried"


class UniqueKeyTaken(QueueToolError):
    """Another unfinished task has the same unique key."""

    code = "unique_key_taken"


class NotAcceptable(QueueToolError):
    """The response is not available in any format that the request accepts."""

    code = "not_acceptable"


class TooManyStreams(QueueToolError):
    """Too many result downloads are in progress. Request these results again in a moment."""

    code = "too_many_streams"


class MethodNotAllowed(QueueToolError):
    """This address does not support this HTTP method."""

    code = "method_not_allowed"


# -- permissions -------------------------------------------------------------------------------------------


class Unauthorized(QueueToolError):
    """This request needs an API key. Create one with `queue-tool keys create` and send it as a Bearer token."""

    code = "unauthorized"


class Forbidden(QueueToolError):
    """This API key's role does not allow this request."""

    code = "forbidden"
