"""Open batches: what does not fit into one request is sent in many, to a batch that takes elements until its seal."""

from __future__ import annotations

import msgspec
from flask import request

from queue_tool.errors import (
    BadContinuation,
    BadRequest,
    BadWebhook,
    BatchNotFound,
    BatchSealed,
    NotAnArray,
    TooManyItems,
    TooManyWaiting,
    WrongStart,
)
from queue_tool.model import json_text
from queue_tool.model.access import Role
from queue_tool.model.batch import SealedBy
from queue_tool.model.labels import label_of
from queue_tool.model.payloads.batches import Batch, KeptElements, Received
from queue_tool.model.payloads.queries import FromQuery, KeptQuery
from queue_tool.model.payloads.requests import OpenBatchBody
from queue_tool.services.answers import shown
from queue_tool.services.submit import request_digest
from queue_tool.web.http import shapes
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.bodies import JsonBody
from queue_tool.web.http.operation import JSON_OR_LINES, Group, Reply
from queue_tool.web.http.submissions import idempotency_key, received

CREATED = 201

routes = Group("batches", "Send batches, read their status and their results, cancel and retry all tasks of a batch.")


@routes.post(
    "/batches",
    Role.SUBMIT,
    status=CREATED,
    keyed=True,
    headers=("Location",),
    errors=(BadContinuation, BadWebhook),
)
def open_batch(body: OpenBatchBody) -> Reply[Batch]:
    """Make an open batch.

    It is for more elements than one request may have. Send them to `POST /batches/{batch}/elements` in any number of
    requests, then seal the batch: only then can it be `finished`. Its tasks start at once and do not wait for the seal.
    An open batch that gets no elements for 24 hours is sealed by the service, and its `sealed_by` is `sweeper`.
    """
    if any("\0" in text for text in (body.name or "", *body.metadata, *body.metadata.values())):
        raise BadRequest("The name and the metadata must not contain U+0000.")
    label = label_of(body.name, body.metadata, body.webhook)
    system = runtime()
    key = idempotency_key(json_text.encode(body))
    followers = None if body.on_finished is msgspec.UNSET else body.on_finished
    batch = system.open_batches.open(label, body.task_type, key, followers)
    return Reply(body=shapes.batch(system.ask.batch(batch)), status=CREATED, headers={"Location": f"/batches/{batch}"})


@routes.post(
    "/batches/<batch>/elements",
    Role.SUBMIT,
    takes=JSON_OR_LINES,
    headers=("Location",),
    body_schema="OpenBatchElements",
    errors=(BatchNotFound, BatchSealed, WrongStart, NotAnArray, TooManyItems, TooManyWaiting),
)
def add_elements(batch: str, query: FromQuery, body: JsonBody) -> Reply[Received]:
    """Send more elements to an open batch.

    `from` is the index of the first element: the `total` of the batch. The request is kept whole or not at all, and the
    answer has the token or the reasons of the refusal for each element, as in `POST /api`.

    If no answer arrives, send the same bytes with the same `from` again: elements that were kept get the same answer.
    Any other `from` than `total` is answered with 409, and the key `total` says where to continue.
    """
    if not isinstance(body.value, list):
        raise NotAnArray
    has_lines = request.mimetype != "application/json"
    digest = request_digest(body.text, b"lines" if has_lines else b"")
    submission = runtime().open_batches.add(batch, query.start, body.value, digest)
    return received(submission, total=query.start + len(body.value))


@routes.get("/batches/<batch>/elements", Role.READ, errors=(BatchNotFound,))
def list_elements(batch: str, query: KeptQuery) -> KeptElements:
    """Read what was answered for the elements of a batch.

    It is for a client that lost an answer. `next` is the `from` of the next page. Elements whose tasks were deleted
    since are missing.
    """
    found, following = runtime().open_batches.elements(batch, query.start, query.limit)
    return KeptElements(items=[shown(element) for element in found], next=following)


@routes.post("/batches/<batch>/seal", Role.SUBMIT, errors=(BatchNotFound,))
def seal_batch(batch: str) -> Batch:
    """Seal an open batch.

    It takes no more elements, and it is `finished` when all its tasks have ended. To seal it again changes nothing.
    """
    system = runtime()
    system.open_batches.seal(batch, SealedBy.REQUEST)
    return shapes.batch(system.ask.batch(batch))
