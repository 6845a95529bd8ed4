"""Shared by the routes that accept tasks: the idempotency key of a request, and the response to a batch."""

from __future__ import annotations

from flask import g, request
from msgspec import UNSET, UnsetType

from queue_tool.errors import BadContinuation, BadIdempotencyKey, MalformedJson
from queue_tool.model import json_text
from queue_tool.model.batch import IdempotencyKey, Submission
from queue_tool.model.payloads.batches import Received
from queue_tool.services import answers
from queue_tool.services.submit import request_digest
from queue_tool.web.http.operation import Reply

MAIN_TYPE = "sleep"
"""The task type for `POST /api` and for the form on the home page."""

LONGEST_KEY = 255

ON_FINISHED = "On-Finished"
"""The header with the continuations of a request."""

REFUSED_WHOLE = 422
"""The status if every element was refused and nothing was kept."""


def received(submission: Submission, status: int = 200, total: int | UnsetType = UNSET) -> Reply[Received]:
    """Return the response to a batch, or to more elements of an open batch, which then has `total` elements."""
    body = answers.received(submission, total)
    if submission.batch is None:
        return Reply(body=body, status=REFUSED_WHOLE if submission.is_refused_whole else status)
    return Reply(body=body, status=status, headers={"Location": f"/batches/{submission.batch}"})


def idempotency_key(body: bytes) -> IdempotencyKey | None:
    """Return the current request's idempotency key, if it has one.

    Raises:
        BadIdempotencyKey: the key is empty or too long.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= LONGEST_KEY:
        raise BadIdempotencyKey
    query = request.query_string
    if ON_FINISHED in request.headers:
        query += f"\0{request.headers[ON_FINISHED]}".encode()
    return IdempotencyKey(scope=f"{g.key_id} {request.path}", key=key, digest=request_digest(body, query))


def on_finished_of(parameter: str | None) -> object:
    """Return what the current request says in the header `On-Finished`, or in the parameter `on_finished`.

    Args:
        parameter: the value of the parameter; None: the request has none.

    Raises:
        BadContinuation: it is not JSON, or the request has both.
    """
    header = request.headers.get(ON_FINISHED)
    if header is not None and parameter is not None:
        raise BadContinuation("Send the header On-Finished or the parameter on_finished, not both.")
    text = parameter if header is None else header
    try:
        return None if text is None else json_text.loads(text)
    except MalformedJson as error:
        name = "parameter on_finished" if header is None else "header On-Finished"
        raise BadContinuation(error.sentence.replace("The body", f"The {name}")) from None
