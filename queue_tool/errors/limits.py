"""Errors of a request that is too large or too slow, or that comes when the service has too much to do."""

from __future__ import annotations

from queue_tool.errors.base import AFTER_A_WHILE, FAILS_AGAIN, QueueToolError
from queue_tool.errors.requests import BadRequest


class BodyTooLarge(QueueToolError):
    """The body is larger than QUEUE_TOOL_MAX_BODY allows."""

    code = "body_too_large"
    cause = "The body has more bytes than the setting `QUEUE_TOOL_MAX_BODY` allows."
    remedy = f"Split the body into several requests, or ask the operator to raise the setting. {FAILS_AGAIN}"


class BodyTooSlow(QueueToolError):
    """The body arrived too slowly. Send this request again."""

    code = "body_too_slow"
    cause = "The client sent its body too slowly, or stopped in the middle of it. Nothing of the request was stored."
    remedy = "Send the same request again. If this happens often, send smaller bodies or use a faster connection."


class IncompleteBody(BadRequest):
    """The connection ended before the end of the body."""

    code = "incomplete_body"
    cause = "The client or a proxy closed the connection before the end of the body. Nothing of the request was stored."
    remedy = "Send the same request again."


class TooManyItems(QueueToolError):
    """The array has more elements than one request may contain."""

    code = "too_many_items"
    cause = "The array has more elements than the setting `QUEUE_TOOL_MAX_BATCH` allows, or more than 100,000 tokens."
    remedy = f"Split the array into several requests. {FAILS_AGAIN}"


class TooManyWaiting(QueueToolError):
    """Too many tasks are waiting. Send this request again later."""

    code = "too_many_waiting"
    cause = (
        "With the tasks of this request, more tasks would be queued than the setting `QUEUE_TOOL_MAX_WAITING` allows. "
        "Nothing of the request was stored."
    )
    remedy = (
        f"{AFTER_A_WHILE} Split an array that alone has more tasks than the setting allows. "
        "The operator starts more workers, or raises the setting."
    )


class MessageTooLarge(QueueToolError):
    """A message may have at most 1 MiB."""

    code = "message_too_large"
    cause = "The `message` in `POST /api/queue/push` has more than 1,048,576 bytes as JSON. It was not stored."
    remedy = f"Store the large part elsewhere, and push its address. {FAILS_AGAIN}"


class TooManyMessages(QueueToolError):
    """The message queues are full. Send this message again later."""

    code = "too_many_messages"
    cause = (
        "All message queues together hold as many messages as the setting `QUEUE_TOOL_MAX_MESSAGES` allows. "
        "The message was not stored."
    )
    remedy = (
        f"{AFTER_A_WHILE} `GET /api/queue` shows which message queue is long. "
        "The operator raises the setting, or an admin purges a message queue that nobody needs."
    )


class TooManyUploads(QueueToolError):
    """The service is already handling too many large bodies. Send this request again in a moment."""

    code = "too_many_uploads"
    cause = "The web process is reading as many bodies, or as many large ones, as it can. Nothing was stored."
    remedy = AFTER_A_WHILE


class TooManyFollowers(QueueToolError):
    """Too many clients read the events. Connect again in a moment."""

    code = "too_many_followers"
    cause = "As many clients as the web process takes follow `GET /events`, in total or with this API key."
    remedy = f"{AFTER_A_WHILE} Close streams that nobody reads, or raise `QUEUE_TOOL_MAX_WAITS`."


class TooManyStreams(QueueToolError):
    """Too many result downloads are in progress. Request these results again in a moment."""

    code = "too_many_streams"
    cause = "The web process is sending the results of as many batches, in total or for this API key, as it can."
    remedy = f"{AFTER_A_WHILE} Read the results of one batch after the other."
