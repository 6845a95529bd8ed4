"""Errors of a request: its content, its headers, or its permissions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from queue_tool.errors.base import FAILS_AGAIN, QueueToolError

# -- invalid content ---------------------------------------------------------------------------------------


class BadRequest(QueueToolError):
    """The request cannot be understood."""

    code = "bad_request"
    cause = (
        "The body is JSON, but the route does not accept it: it is not an object, a key is unknown, or a value is "
        "wrong. `message` names the reason."
    )
    remedy = f"Correct what `message` names. {FAILS_AGAIN}"


class MalformedJson(BadRequest):
    """The body is not valid JSON."""

    code = "malformed_json"
    cause = "The body is not JSON in UTF-8 (RFC 8259), or it is nested too deeply. `message` names the position."
    remedy = f"Write the body with a JSON library. {FAILS_AGAIN}"


class NotAnArray(BadRequest):
    """The body must be a JSON array of items."""

    code = "not_an_array"
    cause = "The body of `POST /api`, or the text in the form of the home page, is JSON but not an array."
    remedy = f"Send an array, even for a single item. {FAILS_AGAIN}"


class BadTask(BadRequest):
    """This is not a valid task. `errors` gives the reasons."""

    code = "bad_task"
    cause = (
        "A single task in `POST /tasks` is not valid. "
        "For example, its task type is unknown, or its data does not match the schema of the task type."
    )
    remedy = f"Correct each value whose `path` and `message` are in `errors`. {FAILS_AGAIN}"

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


class BadContinuation(BadTask):
    """What should follow is not a valid task. `errors` gives the reasons."""

    code = "bad_continuation"
    cause = (
        "What should follow when a batch has ended is not a valid task, or an array of them: in the header "
        "`On-Finished`, in the parameter `on_finished`, or in the body of `POST /batches`."
    )
    remedy = f"Correct each value whose `path` and `message` are in `errors`. {FAILS_AGAIN}"


class BadWebhook(BadRequest):
    """This webhook cannot be used."""

    code = "bad_webhook"
    cause = (
        "The URL of a webhook is no address that the service may call, or its events, headers or filters cannot be "
        "used. `message` names the reason."
    )
    remedy = (
        "Correct what `message` names. An address inside a private network must be in the setting "
        f"`QUEUE_TOOL_WEBHOOK_ALLOW`. {FAILS_AGAIN}"
    )


class BadSchedule(BadRequest):
    """This is not a valid schedule."""

    code = "bad_schedule"
    cause = (
        "The body of `POST /schedules` or `PUT /schedules/{schedule}` describes no schedule: for example, the cron "
        "expression or the time zone is unknown, or it is never due. `message` names the reason."
    )
    remedy = f"Correct what `message` names. {FAILS_AGAIN}"


class NotSent(QueueToolError):
    """The task cannot be sent."""

    code = "not_sent"


class BadTokens(BadRequest):
    """The body must be a JSON object with "tokens", an array of strings."""

    code = "bad_tokens"
    cause = "The body of `POST /check` is JSON, but it has no `tokens`, or these are not an array of strings."
    remedy = f'Send `{{"tokens": ["..."]}}`. {FAILS_AGAIN}'


class BadParameter(BadRequest):
    """A query parameter is unknown or has an invalid value."""

    code = "bad_parameter"
    cause = "A query parameter is unknown, missing or repeated, or it has an invalid value. `message` names it."
    remedy = f"Correct the parameter. {FAILS_AGAIN}"


class BadCursor(BadRequest):
    """This cursor does not belong to a list with these parameters. Start with the first page and follow `next`."""

    code = "bad_cursor"
    cause = "The parameter `cursor` is not a value of `next` from a list of this kind."
    remedy = f"Request the first page without `cursor`, then follow `next`. {FAILS_AGAIN}"


class BadIdempotencyKey(BadRequest):
    """Idempotency-Key must have 1 to 255 characters."""

    code = "bad_idempotency_key"
    cause = "The header `Idempotency-Key` is empty, or it has more than 255 characters."
    remedy = f"Use a short unique key, such as a random UUID. {FAILS_AGAIN}"


class IdempotencyKeyReused(QueueToolError):
    """This Idempotency-Key was used with a different request in the last 24 hours. Use a new key."""

    code = "idempotency_key_reused"
    cause = "In the last 24 hours, this client used the `Idempotency-Key` on this route with another body or query."
    remedy = f"Use a new `Idempotency-Key` for each new request. {FAILS_AGAIN}"


# -- headers and methods -----------------------------------------------------------------------------------


class UnsupportedMediaType(QueueToolError):
    """The Content-Type must be application/json."""

    code = "unsupported_media_type"
    cause = "The header `Content-Type` is missing, or it is not `application/json`, or the body is compressed."
    remedy = (
        "Send JSON without `Content-Encoding`, with `Content-Type: application/json`. `POST /api` and `POST /tasks` "
        f"also take one element on each line, with `application/x-ndjson` or `application/jsonl`. {FAILS_AGAIN}"
    )


class NotAcceptable(QueueToolError):
    """The response is not available in any format that the request accepts."""

    code = "not_acceptable"
    cause = "The header `Accept` of `GET /batches/<batch>/results` allows neither JSON Lines nor CSV."
    remedy = f"Send `Accept: application/jsonl` or `Accept: text/csv`. {FAILS_AGAIN}"


class MethodNotAllowed(QueueToolError):
    """This address does not support this HTTP method."""

    code = "method_not_allowed"
    cause = "A route has this path, but not with this HTTP method."
    remedy = f"Use one of the methods in the header `Allow` of the answer. {FAILS_AGAIN}"


class RangeNotSatisfiable(QueueToolError):
    """The file does not have the requested range."""

    code = "range_not_satisfiable"
    cause = "The header `Range` of a request for a file of the pages is outside of the file."
    remedy = f"Request a range within the size that the header `Content-Range` names. {FAILS_AGAIN}"


# -- permissions -------------------------------------------------------------------------------------------


class Unauthorized(QueueToolError):
    """This request needs an API key. Create one with `queue-tool keys create` and send it as a Bearer token."""

    code = "unauthorized"
    cause = (
        "The request has no API key, or its key is unknown or revoked. "
        "While no key exists, the service serves only programs of its own user on its own machine."
    )
    remedy = (
        "Send the request with a valid key, as `Authorization: Bearer <key>`. "
        f"The operator creates one with `queue-tool keys create`. {FAILS_AGAIN}"
    )


class Forbidden(QueueToolError):
    """This API key's role does not allow this request."""

    code = "forbidden"
    cause = (
        "The role of the API key is too low for this route or for a filter. "
        "Or a page of another site sent the request, as its headers `Host`, `Origin` or `Sec-Fetch-Site` show."
    )
    remedy = f"Use a key with a higher role, or open the service at its own address. {FAILS_AGAIN}"
