"""Whether an answer is one that its operation declares: status, headers, body key by key, and the code of an error."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema_rs
from flask import Flask, Response, current_app, request

from queue_tool.errors import BY_CODE
from queue_tool.model import json_text
from queue_tool.web.http.operation import GROUPS, Operation
from queue_tool.web.openapi.document import document
from queue_tool.web.openapi.parameters import path_of

MADE_LATER = frozenset({"X-Request-Id"})
"""Headers that are added in front of Flask."""

OF_HTTP = frozenset({"Content-Type", "Content-Length", "Vary", "Date", "X-Content-Type-Options"})
"""Headers that need no declaration: the clients' libraries read them, and no program has to."""

OF_PAGES = frozenset({"Content-Security-Policy", "Referrer-Policy"})

undeclared: list[str] = []
"""What answers had that is not declared, since the last test."""


def watch(app: Flask) -> None:
    """Compare each answer of an application with the declaration of its operation, when all its headers are there."""
    app.after_request_funcs.setdefault(None, []).insert(0, _compare)  # Flask calls the first one last


def _compare(response: Response) -> Response:
    view = current_app.view_functions.get(request.endpoint or "")
    if isinstance(view, Operation) and view.in_document and request.method == view.method:
        undeclared.extend(f"{view.name} {response.status_code}: {reason}" for reason in _reasons(view, response))
    return response


def _reasons(operation: Operation, response: Response) -> list[str]:
    declared = described()["paths"][path_of(operation)][operation.method.lower()]["responses"]
    answer = declared.get(str(response.status_code))
    if answer is None:
        return ["the status is not declared"]
    wrong = list(_wrong_headers(answer, response))
    if wrong or response.mimetype in ("text/html", "text/plain") or response.status_code == 304 or response.is_streamed:
        return wrong
    if response.mimetype not in answer.get("content", {response.mimetype: {}}):
        return [f"the media type {response.mimetype} is not declared"]
    body = json_text.loads(response.data)
    if response.mimetype == "application/problem+json":
        code = body["code"]  # type: ignore[index] # a problem document
        return [] if BY_CODE[code] in operation.errors or code == "internal_error" else [f"{code} is not declared"]
    found = validator(operation.name, response.status_code)
    try:
        return [error.message for error in found.iter_errors(body)] if found else []
    except ValueError:  # too deep for the validator
        return []


def _wrong_headers(answer: dict[str, Any], response: Response) -> Iterator[str]:
    components = described()["components"]["headers"]
    found = set(response.headers.keys()) - OF_HTTP
    if response.mimetype == "text/html":
        found -= OF_PAGES
    declared = answer["headers"].keys() - MADE_LATER
    yield from (f"the header {name} is not declared" for name in found - declared)
    missing = {name for name in declared if components[name]["required"]} - found
    yield from (f"the header {name} is declared and missing" for name in missing)


@cache
def described() -> dict[str, Any]:
    """Return the document, without the task types."""
    from queue_tool.execution.builtin import builtin_types
    from queue_tool.model.task_types import TaskTypes

    return document(current_app.extensions[GROUPS], TaskTypes(builtin_types(1)), 10)


@cache
def validator(operation: str, status: int) -> jsonschema_rs.Draft202012Validator | None:
    """Return what validates an answer, and refuses keys that are not declared."""
    found = next(
        each for path in described()["paths"].values() for each in path.values() if each["operationId"] == operation
    )
    content = found["responses"][str(status)].get("content")
    if content is None:
        return None
    components = {name: _closed(schema) for name, schema in described()["components"]["schemas"].items()}
    schema = content["application/json"]["schema"]
    return jsonschema_rs.Draft202012Validator(schema | {"components": {"schemas": components}})


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    return schema | {"additionalProperties": False} if "properties" in schema else schema
