"""`POST /api`: a JSON array in; for each element a token, or why there is none."""

from __future__ import annotations

from flask import Blueprint, Response, g, request

from queue_tool.errors import BadIdempotencyKey, NotAnArray
from queue_tool.model.access import Role
from queue_tool.model.batch import INVALID, Accepted, Element, IdempotencyKey, Submission, item_of
from queue_tool.services.submit import body_digest
from queue_tool.web.http.admission import needs
from queue_tool.web.http.answers import answer, runtime
from queue_tool.web.http.bodies import json_body
from queue_tool.web.http.query import label_of, parameters

RECEIVED = "Itens recebidos para processamento"
TASK_TYPE = "sleep"
LONGEST_KEY = 255

routes = Blueprint("api", __name__)


@routes.post("/api")
@needs(Role.SUBMIT)
def submit() -> Response:
    """Take a batch of items."""
    label = label_of(parameters("name", labels=True))
    with json_body() as (body, value):
        if not isinstance(value, list):
            raise NotAnArray
        hands = runtime()
        submission = hands.submit(value, hands.of_type(TASK_TYPE), idempotency_key(body), label=label)
        return received(submission)


def received(submission: Submission, status: int = 200) -> Response:
    """Return the answer to a batch."""
    body: dict[str, object] = {
        "message": RECEIVED,
        "processing_items": [_shown(element) for element in submission.elements],
    }
    if submission.batch is None:
        return answer(body, status)
    response = answer(body | {"batch": submission.batch}, status)
    response.headers["Location"] = f"/batches/{submission.batch}"
    return response


def idempotency_key(body: bytes) -> IdempotencyKey | None:
    """Return the current request's idempotency key, if it has one.

    Raises:
        BadIdempotencyKey: it is empty or too long.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= LONGEST_KEY:
        raise BadIdempotencyKey
    return IdempotencyKey(scope=f"{g.key_id} {request.path}", key=key, digest=body_digest(body))


def _shown(element: Element) -> dict[str, object]:
    if isinstance(element, Accepted):
        return {"hash": element.token, "index": element.index, "item": item_of(element.data)}
    refusal: dict[str, object] = {
        "hash": INVALID,
        "index": element.index,
        "item": element.item,
        "errors": [{"path": error.path, "message": error.message} for error in element.errors],
    }
    return refusal | ({"duplicate_of": element.duplicate_of} if element.duplicate_of else {})
