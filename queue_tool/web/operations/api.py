"""`POST /api`: takes a JSON array and returns a token or the errors for each element."""

from __future__ import annotations

from queue_tool.errors import BadWebhook, NotAnArray, TooManyItems, TooManyWaiting
from queue_tool.model.access import Role
from queue_tool.model.labels import label_of
from queue_tool.model.payloads.batches import Received
from queue_tool.model.payloads.queries import LabelQuery
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.bodies import JsonBody
from queue_tool.web.http.operation import JSON_OR_LINES, Group, Reply
from queue_tool.web.http.submissions import MAIN_TYPE, idempotency_key, on_finished_of, received

routes = Group("batches", "Send batches, read their status and their results, cancel and retry all tasks of a batch.")


API = "/api"


@routes.post(
    API,
    Role.SUBMIT,
    keyed=True,
    continues=True,
    takes=JSON_OR_LINES,
    headers=("Location",),
    body_schema="Elements",
    errors=(BadWebhook, NotAnArray, TooManyItems, TooManyWaiting),
)
def submit_batch(query: LabelQuery, body: JsonBody) -> Reply[Received]:
    """Send a batch of sleep tasks.

    The body is an array. Each element is checked on its own: an accepted element gets a task and a token, a refused
    one gets the reasons. A refused element does not affect the others, so look for `INVALID_JOB_REQUEST` in the answer.
    When you have the answer, all its tokens are on disk. If no answer arrives, either all or nothing of the batch is
    stored: send an `Idempotency-Key`, and you can repeat the request safely.

    With `Content-Type: application/x-ndjson` or `application/jsonl`, the body has one element on each line.

    An empty array is answered with an empty list and creates no batch.
    """
    label = label_of(query.name, query.metadata, query.webhook)
    if not isinstance(body.value, list):
        raise NotAnArray
    system = runtime()
    submission = system.submit(
        body.value,
        system.of_type(MAIN_TYPE),
        idempotency_key(body.text),
        label=label,
        on_finished=on_finished_of(query.on_finished),
    )
    return received(submission)
