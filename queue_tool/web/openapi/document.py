"""The OpenAPI 3.1 document of this service."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any, get_args

from queue_tool.model.access import Role
from queue_tool.model.json_text import LINES
from queue_tool.model.payloads.fields import Payload
from queue_tool.model.payloads.filters import FailedFilters, Filters
from queue_tool.model.payloads.queries import Query
from queue_tool.model.payloads.service import Problem
from queue_tool.model.task_types import TaskType
from queue_tool.web.http.bodies import JsonBody
from queue_tool.web.http.operation import ANY, JSON, Group, Operation
from queue_tool.web.http.reading import requires_a_key
from queue_tool.web.openapi.answers import answers_of, example_components, header_components
from queue_tool.web.openapi.parameters import SHARED, parameters_of, path_of
from queue_tool.web.openapi.schemas import Json, payload_schemas, reference, schema_of, task_schemas

ABOUT = """Send a JSON array of elements. Each accepted element becomes a task with a token, and no task is lost.

**API keys.** Until the operator creates the first key, the service serves only requests from its own machine, and they
need no key. From then on, send yours as `Authorization: Bearer qt_...`. Each operation names the role that the key
must have: `read`, `submit` or `admin`. Each role may also do what the roles before it may.

**Errors** are problem details (RFC 9457) with a stable `code`. [/docs/errors](/docs/errors) explains each code: its
cause, what to do, and whether the same request may be sent again.

**Lists** return one page at a time: send the same request with `cursor` set to `next`, until `next` is null.
"""

NEEDS = {
    Role.OPEN: "Needs no API key.",
    Role.READ: "Needs the role `read`.",
    Role.SUBMIT: "Needs the role `submit`.",
    Role.ADMIN: "Needs the role `admin`.",
}

NEEDED: Sequence[Json] = [{"key": []}]

BEARER: Json = {
    "type": "http",
    "scheme": "bearer",
    "description": "The operator creates a key with `queue-tool keys create`. It begins with `qt_`.",
}


def document(groups: Sequence[Group], types: Mapping[str, TaskType], max_batch: int) -> Json:
    """Return the document.

    Args:
        groups: the declared operations.
        types: the task types, whose schemas are in the document.
        max_batch: elements in one request.
    """
    operations = [each for group in groups for each in group.operations if each.in_document]
    schemas, queries = payload_schemas(_payloads(operations))
    paths: dict[str, Json] = {}
    for operation in operations:
        query = queries.get(operation.query, {}) if operation.query else {}
        paths.setdefault(path_of(operation), {})[operation.method.lower()] = _described(operation, query)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Queue Tool",
            "version": version("queue_tool"),
            "description": ABOUT,
            "license": {"name": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": list({group.tag: {"name": group.tag, "description": group.meaning} for group in groups}.values()),
        "paths": paths,
        "components": {
            "schemas": schemas | task_schemas(types, max_batch),
            "parameters": SHARED,
            "headers": header_components(),
            "examples": example_components(),
            "securitySchemes": {"key": BEARER},
        },
    }


def _described(operation: Operation, query: Json) -> Json:
    examples = _examples().get(operation.name, {})
    described: Json = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": f"{operation.description}\n\n{NEEDS[operation.role]}".strip(),
        "parameters": list(parameters_of(operation, query)),
        "responses": answers_of(operation, examples.get("answers", {})),
        "security": [] if operation.role is Role.OPEN else NEEDED,
        "x-role": operation.role.name.lower(),
    }
    if operation.body is not None and operation.method != "DELETE":  # HTTP gives its body no meaning (RFC 9110)
        described["requestBody"] = _body(operation, examples)
    return described


def _body(operation: Operation, examples: Mapping[str, Any]) -> Json:
    is_json, is_optional = operation.body is JsonBody, operation.takes is ANY
    schema = schema_of(operation.body) if not is_json else reference(operation.body_schema or "AnyJson")
    content: Json = {"schema": schema}
    if "request" in examples:
        content["example"] = examples["request"]
    required = not is_optional and (
        is_json or requires_a_key(operation.body) or "minProperties" in operation.body.RULES
    )
    kinds = JSON if is_optional else [kind for kind in operation.takes if kind not in LINES]  # generators know no lines
    return {"required": required, "content": dict.fromkeys(kinds, content)}


def _payloads(operations: Sequence[Operation]) -> set[type[Payload]]:
    """Return the types of all bodies and query parameters."""
    bodies = [operation.body for operation in operations if operation.body not in (None, JsonBody)]
    for operation in operations:
        for answer in operation.answers.values():
            bodies += [answer.body, *get_args(answer.body)]
    queries: list[type[Query]] = [operation.query for operation in operations if operation.query]
    return {each for each in (*bodies, *queries, Filters, FailedFilters, Problem) if isinstance(each, type)}


@cache
def _examples() -> Mapping[str, Mapping[str, Any]]:
    """Return the example of each operation: a request, and the answer that a real service gave. `docs/examples.py`."""
    text = files("queue_tool.web.openapi").joinpath("examples.json").read_text("utf-8")
    found: Mapping[str, Mapping[str, Any]] = json.loads(text)
    return found
