"""The parameters of an operation: in its path, its query and its headers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import NODEFAULT, structs

from queue_tool.model.payloads.queries import Query
from queue_tool.model.queues import Priority
from queue_tool.web.http.operation import EVENT_STREAM, Operation
from queue_tool.web.http.submissions import LONGEST_KEY
from queue_tool.web.openapi.schemas import Json, reference, without_null

_PLACE = re.compile(r"<(?:\w+:)?(\w+)>")

_ID = {"type": "string", "pattern": "^[0-9a-f]{32}$"}

_IN_PATHS: Mapping[str, Json] = {
    "token": {"description": "The token of the task.", "schema": _ID},
    "batch": {"description": "The id of the batch.", "schema": _ID},
    "webhook": {"description": "The id of the webhook.", "schema": _ID},
    "schedule": {"description": "The id of the schedule.", "schema": _ID},
    "name": {
        "description": "The name of the queue.",
        "schema": {"type": "string", "enum": [priority.queue for priority in Priority]},
    },
}

PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": "`wait=<seconds>` (RFC 7240), a whole number up to 60. The server answers when the task or batch "
    "has ended, or when the time is over.",
    "schema": {"type": "string"},
    "example": "wait=30",
}

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A new text for each new request, such as a random UUID. If you repeat the request with the same "
    "key within 24 hours, no task is created twice, and the answer has the same tokens. Another body or query with "
    "the same key is refused with 422.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
}

ON_FINISHED = {
    "name": "On-Finished",
    "in": "header",
    "description": "What follows when all tasks of the request have ended: JSON in ASCII, as in the key `on_finished` "
    "of `POST /batches`. The parameter `on_finished` does the same.",
    "schema": {"type": "string"},
    "example": '{"task_type": "echo", "data": "done"}',
}

LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The `id` of the last event that the client has got. Browsers send it when they connect again.",
    "schema": {"type": "string"},
}

IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of an earlier answer. If nothing has changed since, the answer is 304 without a body.",
    "schema": {"type": "string"},
}

REQUEST_ID = {
    "name": "X-Request-Id",
    "in": "header",
    "description": "An id of your own for this request: 1 to 64 letters, digits, dots, `_` and `-`. It is in the "
    "answer and in each line of the log. Any other id is replaced by a new one.",
    "schema": {"type": "string"},
}

SHARED = {
    "Prefer": PREFER,
    "IdempotencyKey": IDEMPOTENCY_KEY,
    "OnFinished": ON_FINISHED,
    "IfNoneMatch": IF_NONE_MATCH,
    "RequestId": REQUEST_ID,
}
"""The parameters that several operations have, by the name of their component."""


def path_of(operation: Operation) -> str:
    """Return the path as OpenAPI writes it."""
    return _PLACE.sub(r"{\1}", operation.path)


def parameters_of(operation: Operation, query: Json) -> Iterator[Json]:
    """Return the parameters of an operation.

    Args:
        operation: the operation.
        query: the schema of each query parameter.
    """
    for name in _PLACE.findall(operation.path):
        yield {"name": name, "in": "path", "required": True, **_IN_PATHS[name]}
    if operation.query is not None:
        yield from _in_query(operation.query, query)
    names = ["Prefer"] * operation.waits + ["IdempotencyKey"] * operation.keyed
    names += ["OnFinished"] * operation.continues
    if operation.answers[min(operation.answers)].types == EVENT_STREAM:
        yield LAST_EVENT_ID
    names += ["IfNoneMatch"] * operation.has_etag + ["RequestId"]
    yield from ({"$ref": f"#/components/parameters/{name}"} for name in names)


def _in_query(kind: type[Query], schemas: Json) -> Iterator[Json]:
    for field in structs.fields(kind):
        schema = without_null(schemas[field.encode_name])
        parameter: dict[str, Any] = {
            "name": field.encode_name,
            "in": "query",
            "required": field.required,
            "description": schema.pop("description"),
            "schema": schema,
        }
        if schema.get("type") == "object":
            parameter |= {"schema": reference("LabelParameters"), "style": "form", "explode": True}
        elif schema.get("type") == "array":
            del schema["default"]  # the empty array, which no query can have
            parameter |= {"schema": schema | {"minItems": 1}, "style": "form", "explode": False}
        elif field.default not in (NODEFAULT, None):
            schema["default"] = field.default
        yield parameter
