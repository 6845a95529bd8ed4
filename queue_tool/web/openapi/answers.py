"""The answers of an operation: the usual ones, and its errors."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from queue_tool.errors import BY_CODE, QueueToolError
from queue_tool.web.http.entries import entries
from queue_tool.web.http.operation import Answer, Operation
from queue_tool.web.http.problems import BUG, STATUSES, problem_of
from queue_tool.web.openapi.schemas import Json, reference, schema_of

PROBLEM = "application/problem+json"
TEXT = "text/"
"""How the media types begin whose bodies are no JSON."""

HEADERS: Mapping[str, str] = {
    "X-Request-Id": "The id of the request. Each line that the server logs about the request has it.",
    "Cache-Control": "`no-store`: keep no copy. `no-cache`: ask each time whether a copy is still right.",
    "ETag": "The version of the answer. Send it as `If-None-Match` when you read the same address again.",
    "Location": "The address of the task or batch that was created or changed.",
    "Link": 'The address of the next page: `<...>; rel="next"`. The last page does not have it.',
    "Preference-Applied": "Only if the server honored `Prefer: wait`.",
    "Retry-After": "Wait so many seconds before you send the same request again.",
    "WWW-Authenticate": "How to send an API key.",
    "X-Accel-Buffering": "`no`: a proxy must pass each event on at once.",
    "Content-Disposition": "The name of the file if a browser saves the answer.",
}
"""The headers of answers that matter to clients, and what they mean."""

EVERYWHERE = ("X-Request-Id", "Cache-Control")
"""The headers of every answer."""

ALWAYS = frozenset({*EVERYWHERE, "ETag", "WWW-Authenticate", "Content-Disposition", "X-Accel-Buffering"})
"""The headers that an answer always has if it is declared with them."""

REQUEST_ID = "5d0c1f2ab7e94c63"
"""The id in examples of errors."""

LATER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


def answers_of(operation: Operation, examples: Mapping[str, Any]) -> Json:
    """Return the answers of an operation by status.

    Args:
        operation: the operation.
        examples: bodies of answers by status.
    """
    found = {str(status): _usual(operation, status, answer, examples) for status, answer in operation.answers.items()}
    if operation.has_etag:
        found["304"] = {
            "description": "The body is the same as in the answer with this `ETag`, so it is not sent again.",
            "headers": _headers("ETag", *["Preference-Applied"] * operation.waits),
        }
    for status, kinds in sorted(_by_status(operation.errors).items()):
        text = str(status)
        if text in found:
            found[text]["content"] |= _problems(kinds)["content"]
        else:
            found[text] = _problems(kinds) | {"headers": _headers(*_headers_of_problem(status))}
    return found


def _usual(operation: Operation, status: int, answer: Answer, examples: Mapping[str, Any]) -> Json:
    names = list(answer.headers)
    if status == HTTPStatus.OK:
        names += ["ETag"] * operation.has_etag + ["Preference-Applied"] * operation.waits
    response: Json = {
        "description": answer.meaning or inspect.getdoc(answer.body) or "",
        "headers": _headers(*names),
    }
    if answer.body is None:
        return response
    content: Json = {}
    for media_type in answer.types:
        is_text = media_type.startswith(TEXT)
        content[media_type] = {"schema": {"type": "string"} if is_text else schema_of(answer.body)}
        if str(status) in examples and not is_text:
            content[media_type]["example"] = examples[str(status)]
    return response | {"content": content}


def _headers_of_problem(status: int) -> Sequence[str]:
    if status == HTTPStatus.UNAUTHORIZED:
        return ("WWW-Authenticate",)
    return ("Retry-After",) if status in LATER else ()


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*EVERYWHERE, *names)}


def header_components() -> Json:
    """Return the headers of answers, by name."""
    return {
        name: {"description": meaning, "required": name in ALWAYS, "schema": {"type": "string"}}
        for name, meaning in HEADERS.items()
    }


def example_components() -> Json:
    """Return the document about each error, by its code."""
    return {
        entry.code: {"summary": entry.cause, "value": problem_of(BY_CODE[entry.code](), entry.status, REQUEST_ID)}
        for entry in entries()
    }


def _by_status(kinds: Iterable[type[QueueToolError]]) -> Mapping[int, list[type[QueueToolError]]]:
    found: dict[int, list[type[QueueToolError]]] = defaultdict(list)
    known: set[type[QueueToolError]] = {*kinds, QueueToolError}
    for kind in sorted(known, key=lambda kind: kind.code):
        found[STATUSES.get(kind.code, BUG)].append(kind)
    return found


def _problems(kinds: list[type[QueueToolError]]) -> Json:
    """Return the answer with one of these errors."""
    examples = {kind.code: {"$ref": f"#/components/examples/{kind.code}"} for kind in kinds}
    return {
        "description": " ".join(f"`{kind.code}`: {kind.default_sentence().rstrip('.')}." for kind in kinds),
        "content": {PROBLEM: {"schema": reference("Problem"), "examples": examples}},
    }
