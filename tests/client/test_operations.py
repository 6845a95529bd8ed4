"""The client has a method for each operation of the HTTP API, with the operation's arguments and answers."""

from __future__ import annotations

import re
from types import UnionType
from typing import Any, get_args

import pytest
from msgspec import Struct

from queue_tool.client.endpoints import Declared, Endpoint
from queue_tool.client.methods import Methods
from queue_tool.client.operations import Operations
from queue_tool.model.payloads.batches import BatchResult
from queue_tool.web.groups import groups
from queue_tool.web.http.bodies import JsonBody
from queue_tool.web.http.operation import Operation
from queue_tool.web.openapi.parameters import path_of

OTHERWISE: dict[str, str] = {
    "stream_results": "its answer is a stream: the method iterates over it",
    "stream_events": "its answer is a stream: the method iterates over it",
}
"""Operations whose method is no endpoint, by the name of the method, each with the reason."""


def method_of(operation: Operation) -> str:
    """Return the name of the method for an operation: `list_tasks` for `listTasks`."""
    return re.sub("([A-Z])", r"_\1", operation.name).lower()


OPERATIONS = {
    method_of(operation): operation for group in groups() for operation in group.operations if operation.in_document
}
DECLARED: dict[str, Declared] = {
    name: value.declared for name, value in vars(Operations).items() if isinstance(value, Endpoint)
}


def test_each_operation_has_a_method_with_its_name() -> None:
    assert {*DECLARED, *OTHERWISE} == OPERATIONS.keys()
    assert [name for name in OTHERWISE if not hasattr(Methods, name)] == []


@pytest.mark.parametrize("name", DECLARED)
def test_a_method_sends_what_its_operation_takes(name: str) -> None:
    operation, declared = OPERATIONS[name], DECLARED[name]
    assert (declared.method, declared.path) == (operation.method, path_of(operation))
    assert (declared.waits, declared.keyed) == (operation.waits, operation.keyed)
    assert declared.parameters == keys_of(operation.query)
    if declared.member is not None:
        assert keys_of(operation.body) == {declared.member}
    elif operation.body is not JsonBody and not declared.has_query:
        assert declared.arguments - declared.parameters == keys_of(operation.body)
    assert declared.kind in operation.takes


@pytest.mark.parametrize("name", DECLARED)
def test_a_method_reads_what_its_operation_answers(name: str) -> None:
    operation, declared = OPERATIONS[name], DECLARED[name]
    answers = {kind for answer in operation.answers.values() for kind in kinds_of(answer.body)}
    assert answers == ({kind for kind in kinds_of(declared.answer) if isinstance(kind, type) and is_struct(kind)})
    assert set(operation.answers) <= {200, 201, 202, *declared.also}


def test_the_stream_of_results_has_the_struct_of_its_operation() -> None:
    assert kinds_of(OPERATIONS["stream_results"].answers[200].body) == {BatchResult}


def keys_of(kind: Any) -> set[str]:
    """Return the names of the parameters or keys of a query or a body."""
    return set() if kind is None or kind is JsonBody else set(kind.__struct_encode_fields__)


def kinds_of(body: Any) -> set[Any]:
    """Return the types of which a body may be."""
    if body is None:
        return set()
    return set(get_args(body)) if isinstance(body, UnionType) else {body}


def is_struct(kind: type) -> bool:
    """Return whether a type is a struct. A body that is any JSON object has none."""
    return issubclass(kind, Struct)
