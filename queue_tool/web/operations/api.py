"""`POST /api`: takes a JSON array and returns a token or the errors for each element."""

from __future__ import annotations

from queue_tool.errors import NotAnArray, TooManyItems, TooManyWaiting
from queue_tool.model.access import Role
from queue_tool.model.payloads.batches import Received
from queue_tool.model.payloads.requests import LabelQuery
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.bodies import JsonBody
from queue_tool.web.http.operation import Group, Reply
from queue_tool.web.http.query import label_of
from queue_tool.web.http.submissions import MAIN_TYPE, idempotency_key, received

routes = Group("batches", "Send batches, watch them, and read their results.")


@routes.post("/api", Role.SUBMIT, keyed=True, body_schema="Elements", errors=(NotAnArray, TooManyItems, TooManyWaiting))
def submit_batch(query: LabelQuery, body: JsonBody) -> Reply[Received]:
    """Send a batch of `sleep` tasks.

    Each element is checked on its own. A good one gets a token and a task, a bad one the reasons of its refusal.
    When you have the answer, all its tokens are on disk.
    """
    label = label_of(query.name, query.metadata)
    if not isinstance(body.value, list):
        raise NotAnArray
    system = runtime()
    submission = system.submit(body.value, system.of_type(MAIN_TYPE), idempotency_key(body.text), label=label)
    return received(submission)
