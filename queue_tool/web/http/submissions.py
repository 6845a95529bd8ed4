"""Shared by the routes that accept tasks: the idempotency key of a request, and the response to a batch."""

from __future__ import annotations

from flask import Response, g, request

from queue_tool.errors import BadIdempotencyKey
from queue_tool.model.batch import INVALID, Accepted, Element, IdempotencyKey, Submission, item_of
from queue_tool.services.submit import request_digest
from queue_tool.web.http.answers import answer

MAIN_TYPE = "sleep"
"""The task type for `POST /api` and for the form on the home page."""

RECEIVED = "Itens recebidos para processamento"
LONGEST_KEY = 255

REFUSED_WHOLE = 422
"""The status if every element was refused and nothing was kept."""


def received(submission: Submission, status: int = 200) -> Response:
    """Return the response to a batch."""
    body: dict[str, object] = {
        "message": RECEIVED,
        "processing_items": [_shown(element) for element in submission.elements],
    }
    if submission.batch is None:
        return answer(body, REFUSED_WHOLE if submission.is_refused_whole else status)
    if submission.removed:
        body["removed"] = submission.removed
    response = answer(body | {"batch": submission.batch}, status)
    response.headers["Location"] = f"/batches/{submission.batch}"
    return response


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
    return IdempotencyKey(
        scope=f"{g.key_id} {request.path}", key=key, digest=request_digest(body, request.query_string)
    )


def _shown(element: Element) -> dict[str, object]:
    own_id = {} if element.custom_id is None else {"custom_id": element.custom_id}
    if isinstance(element, Accepted):
        return {"hash": element.token, "index": element.index, "item": item_of(element.data)} | own_id
    refusal: dict[str, object] = {
        "hash": INVALID,
        "index": element.index,
        "item": element.item,
        "errors": [{"path": error.path, "message": error.message} for error in element.errors],
    }
    return refusal | own_id | ({"duplicate_of": element.duplicate_of} if element.duplicate_of else {})
