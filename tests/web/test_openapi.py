"""The OpenAPI document: it is valid, it has every route and every task type, and its examples are real."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from openapi_spec_validator import validate

from docs import examples
from queue_tool.errors import BY_CODE
from queue_tool.execution.builtin import builtin_types
from queue_tool.model.access import Role
from queue_tool.model.task_types import TaskType, TaskTypes, make_task_type
from queue_tool.web.groups import groups
from queue_tool.web.http.operation import operations_of
from queue_tool.web.http.problems import STATUSES
from queue_tool.web.openapi import document as openapi
from tests.documents.likeness import Names, difference
from tests.web.site import Site, mirror

NESTED: dict[str, object] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["tree"],
    "properties": {"tree": {"$ref": "#/$defs/node"}, "kind": {"const": {"$ref": "#/kept/as/data"}}},
    "$defs": {"node": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
}


def described(*types: TaskType) -> Any:
    """Return the document of a service with the built-in task types and these."""
    made = openapi.document(groups(), TaskTypes([*builtin_types(10), *types]), 100)
    return json.loads(msgspec.json.encode(made))


DECLARED = {operation.name: operation for group in groups() for operation in group.operations}


def document_of(site: Site) -> Any:
    return site.get_json("/openapi.json")


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    """Return method, path and declaration of every operation of a document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def parts(value: Any) -> Iterator[Any]:
    """Return a value's objects, at any depth."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from parts(part)


def resolved(document: Any, found: Any) -> Any:
    """Return what a reference leads to, or the value itself."""
    if "$ref" not in found:
        return found
    for step in found["$ref"].split("/")[1:]:
        document = document[step]
    return document


def schema_in(document: Any, reference: Any, **options: bool) -> jsonschema_rs.Draft202012Validator:
    """Return what validates against a schema of the document."""
    return jsonschema_rs.Draft202012Validator(reference | {"components": document["components"]}, **options)  # type: ignore[arg-type] # only switches


def test_the_document_is_valid_also_with_schemas_that_refer_to_themselves() -> None:
    validate(described(make_task_type("tree", mirror, schema=NESTED | {"$id": "urn:example:tree"})))


def test_the_document_and_the_routes_are_the_same(site: Site) -> None:
    pages = {operation.path for operation in operations_of(site.app) if not operation.in_document}
    routes = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in site.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule not in pages and rule.endpoint != "static"
    }
    assert routes == {(method, path) for method, path, _ in operations(document_of(site))}
    forms = {"/login", "/logout", "/theme"}
    assert {page for page in pages if not page.startswith("/dashboard")} == forms | {
        "/",
        "/docs",
        "/docs/assets/<name>",
        "/docs/errors",
    }


def test_each_operation_says_its_role_and_needs_a_key_unless_it_is_open() -> None:
    for _, _, operation in operations(described()):
        role = DECLARED[operation["operationId"]].role
        assert operation["x-role"] == role.name.lower()
        assert operation["security"] == ([] if role is Role.OPEN else [{"key": []}])


def test_each_error_of_an_operation_is_under_its_status_with_an_example() -> None:
    document = described()
    problem = schema_in(document, {"$ref": "#/components/schemas/Problem"})
    for _, _, operation in operations(document):
        shown = {
            (code, int(status))
            for status, answer in operation["responses"].items()
            for code in answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
        }
        errors = DECLARED[operation["operationId"]].errors
        assert shown == {(kind.code, STATUSES[kind.code]) for kind in errors} | {("internal_error", 500)}
    for code, example in document["components"]["examples"].items():
        problem.validate(example["value"])
        assert example["value"]["detail"] == BY_CODE[code].default_sentence()


def test_each_part_of_the_document_says_what_it_is() -> None:
    document = described()
    components = document["components"]
    ours = {name: schema for name, schema in components["schemas"].items() if not name.startswith("TaskData_")}
    named = {
        f"{name}.{key}": value for name, schema in ours.items() for key, value in schema.get("properties", {}).items()
    }
    named |= ours | components["parameters"] | components["headers"]
    for method, path, operation in operations(document):
        named[f"{method} {path}"] = operation
        named |= {f"{method} {path} {status}": answer for status, answer in operation["responses"].items()}
        for parameter in operation["parameters"]:
            found = resolved(document, parameter)
            named[f"{method} {path} {found['name']}"] = found
    assert [name for name, part in named.items() if not part.get("description", "").strip()] == []
    assert len(named) > 500


def test_a_summary_is_a_few_plain_words_and_the_description_says_more() -> None:
    document = described()
    roles = {Role.OPEN: "Needs no API key."} | {
        role: f"Needs the role `{role.name.lower()}`." for role in Role if role is not Role.OPEN
    }
    for _, _, operation in operations(document):
        assert re.fullmatch(r"[A-Z][\w ,]{5,50}", operation["summary"])
        more, _, last = operation["description"].rpartition("\n\n")
        assert more.endswith(".")
        assert not more.startswith(operation["summary"])
        assert last == roles[DECLARED[operation["operationId"]].role]


def test_the_headers_of_answers_that_lead_elsewhere_are_in_the_document(site: Site) -> None:
    document = document_of(site)

    def headers_of(method: str, path: str, status: int) -> set[str]:
        return set(document["paths"][path][method]["responses"][str(status)]["headers"])

    sent = {"task_type": "mirror", "data": 1, "unique_key": "one"}
    answers = [
        ("post", "/api", site.post("/api", [{"item": "a", "valor": 0}])),
        ("post", "/tasks", site.post("/tasks", [{"task_type": "mirror", "data": 1}])),
        ("post", "/tasks", site.post("/tasks", sent)),
        ("post", "/tasks", site.post("/tasks", sent)),
    ]
    (token,) = {answer.get_json()["token"] for _, _, answer in answers[2:]}
    answers.append(("get", "/tasks", site.client.get("/tasks?limit=1")))
    answers.append(("post", "/tasks/{token}/cancel", site.client.post(f"/tasks/{token}/cancel")))
    answers.append(("post", "/tasks/{token}/retry", site.client.post(f"/tasks/{token}/retry")))
    for method, path, answer in answers:
        leading = {"Location", "Link"} & {*answer.headers.keys()}
        assert leading == {"Location", "Link"} & headers_of(method, path, answer.status_code)
        assert len(leading) == 1


def test_each_enumeration_has_a_type_and_more_than_one_value() -> None:
    found = [schema for schema in parts(described()) if "enum" in schema]
    assert len(found) > 5
    assert [schema for schema in found if schema.get("type") != "string" or len(schema["enum"]) < 2] == []


def test_the_title_of_a_task_types_schema_takes_no_other_schemas_name() -> None:
    titled = make_task_type("titled", mirror, schema={"type": "object", "title": "Batch"})
    schemas = described(titled)["components"]["schemas"]
    assert [name for name, schema in schemas.items() if schema.get("title") == "Batch"] == ["Batch"]
    assert schemas["TaskData_titled"]["title"] == "TaskData_titled"


# -- what is accepted --------------------------------------------------------------------------------------

TEXTS = (
    *("", "x\0", "x" * 255, "x" * 256, "0", "1", "-1", "1000", "1001", "1.5", "1e3", "9999999999", "10000000000"),
    *("2026-01-31T12:00:00Z", "2026-01-31", "2026-02-30T12:00:00Z"),
    *("high", "normal", "default", "queued,failed", "queued,", "rejected", "timeout", "canceled"),
)

LABELS: tuple[dict[str, str], ...] = (
    *({"metadata.a": "b"}, {"metadata.a.b": "x" * 255}, {f"metadata.{'x' * 255}": "b"}),
    *({"metadata.a": ""}, {"metadata.a": "x" * 256}, {"metadata.a": "\0"}, {"metadata.": "b"}),
    *({f"metadata.{'x' * 256}": "b"}, {"metadata.\0": "b"}, {"metadata": "b"}, {"meta.a": "b"}),
    *({f"metadata.{number}": "b" for number in range(count)} for count in (20, 21)),
)

FORMED = ("cursor", "task_type", "job_id", "on_finished")
"""Parameters whose values the document cannot list: the server made them, a user's module did, or they are JSON."""


CONFLICT = 409
"""The status of a request that is right, but not now: the batch of the test takes no more elements."""

SENT: dict[str, Any] = {
    "/api/queue/push": {"message": 1},
    "/api/queue/pop": {},
    "/workers/add": {},
    "/workers/remove": {},
}
"""The bodies of the POST operations that take no array."""


def test_a_query_parameter_is_accepted_exactly_if_its_schema_accepts_it(site: Site) -> None:
    document, (batch, _) = document_of(site), site.batch({})
    tried: set[str] = set()
    for method, path, operation in operations(document):
        required = {"older_than": "0"} if method == "DELETE" else {}
        for parameter in [resolved(document, each) for each in operation["parameters"]]:
            kind = json.dumps(parameter["schema"])
            if parameter["in"] != "query" or parameter["name"] in FORMED or kind in tried:
                continue
            tried.add(kind)
            schema = schema_in(document, parameter["schema"], validate_formats=True)
            is_object = parameter["schema"].get("type") == "object"
            for query in LABELS if is_object else [{parameter["name"]: text} for text in TEXTS]:
                value = query if is_object else value_of(parameter, query[parameter["name"]])
                known = path.replace("{batch}", batch)
                body = SENT.get(path, [] if method == "POST" else None)
                status = site.client.open(known, method=method, query_string=required | query, json=body).status_code
                is_accepted = status < 400 or status == CONFLICT
                assert is_accepted == schema.is_valid(value), (method, path, query, status)
    assert len(tried) >= 12


def value_of(parameter: Any, text: str) -> object:
    """Return the value of a parameter as its schema sees it."""
    kind = parameter["schema"].get("type")
    if kind == "array":
        return text.split(",") if text else []
    is_number = re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) and kind in ("integer", "number")
    return json.loads(text) if is_number else text


BODIES: tuple[Any, ...] = (
    *({}, {"tokens": []}, {"tokens": ["x"]}, {"tokens": None}, {"tokens": [1]}, {"dry_run": True}, {"x": 1}),
    *({"filter": {}}, {"filter": {}, "all": True}, {"filter": {}, "all": False}, {"filter": {"tag": "x"}}),
    *(
        {"filter": {"tag": "x\0"}},
        {"filter": {"x": "x"}},
        {"filter": {"created_after": "now"}},
        {"filter": {"limit": "1"}},
    ),
    *(
        {"filter": {"status": "failed,x"}},
        {"filter": {"status": "failed,canceled"}},
        {"filter": {"priority": "x"}},
        {"filter": {"q": "x"}, "tokens": []},
        {"filter": None},
        {"tokens": ["x"] * 100_001},
    ),
)


@pytest.mark.parametrize("path", ["/tasks/cancel", "/tasks/retry", "/deadletter/retry"])
def test_a_selection_is_accepted_exactly_if_its_schema_accepts_it(site: Site, path: str) -> None:
    document = document_of(site)
    declared = document["paths"][path]["post"]["requestBody"]
    schema = schema_in(document, declared["content"]["application/json"]["schema"], validate_formats=True)
    for body in BODIES:
        status = site.client.post(path, json=body).status_code
        assert (status == 200) == schema.is_valid(body), (str(body)[:80], status)
    assert (site.client.post(path).status_code != 200) == declared["required"]


# -- examples ----------------------------------------------------------------------------------------------

VARIES = (
    "duration",
    "traceback",
    "lag",
    "age",
    "worker",
    "secret",
    "seconds",
    "pid",
    "heartbeat_age",
    "finished",
    "average",
    "minimum",
    "median",
    "p95",
    "maximum",
)


def test_the_examples_are_what_a_real_system_answers() -> None:
    shown = json.loads(examples.FILE.read_text("utf-8"))
    with examples.application() as app:
        found = examples.recorded(app)
        names = {operation.name for operation in operations_of(app) if operation.in_document}
    assert difference(shown, found, Names(), VARIES) is None, "run `python docs/examples.py`"
    assert set(shown) == names - {"getOpenapi", "streamEvents"}


def test_every_example_is_valid() -> None:
    document = described()
    checked = 0
    for _, _, operation in operations(document):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for body in [*bodies, *operation["responses"].values()]:
            for media_type, content in body.get("content", {}).items():
                if "example" in content:
                    schema_in(document, content["schema"]).validate(content["example"])
                    checked += 1
                    assert media_type in ("application/json", "application/jsonl")
    assert checked > 30


# -- task types --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        (NESTED, {"tree": [[], [[]]], "kind": {"$ref": "#/kept/as/data"}}, {"tree": [[1]]}),
        (NESTED | {"$id": "urn:example:tree"}, {"tree": [[], [[]]]}, {"tree": [[1]]}),
        ({"$id": "urn:x", "type": "array", "items": {"$ref": "urn:x"}}, [[], [[]]], [[1]]),
        ({"type": "array", "items": {"$ref": "#"}}, [[], [[]]], [[1]]),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "integer"}}}, 1, "1"),
        (
            {"properties": {"default": {"$ref": "#/$defs/$id"}}, "$defs": {"$id": {"type": "integer"}}},
            {"default": 1},
            {"default": "1"},
        ),
    ],
    ids=["with parts", "with an id", "that names itself", "of itself", "with an escaped name", "with odd keys"],
)
def test_the_schema_of_a_task_type_is_in_the_document_and_decides_the_same(
    site: Site, schema: dict[str, object], good: object, bad: object
) -> None:
    site.runtime.types.add(make_task_type("shaped", mirror, schema=schema))
    document = document_of(site)
    data = schema_in(document, {"$ref": "#/components/schemas/TaskData_shaped"})
    request = schema_in(document, {"$ref": "#/components/schemas/TaskRequest"})
    for value, is_good in ((good, True), (bad, False)):
        assert data.is_valid(value) is is_good
        assert request.is_valid({"task_type": "shaped", "data": value}) is is_good
        status = site.post("/tasks", {"task_type": "shaped", "data": value}).status_code
        assert status == (202 if is_good else 400)


def test_a_task_type_of_any_data_or_none_is_in_the_document() -> None:
    document = described(make_task_type("mirror", mirror), make_task_type("nothing", mirror, schema=False))
    assert schema_in(document, {"$ref": "#/components/schemas/TaskData_mirror"}).is_valid([{"any": 1}])
    assert not schema_in(document, {"$ref": "#/components/schemas/TaskData_nothing"}).is_valid(None)


def test_a_request_without_a_type_is_judged_as_the_standard_type() -> None:
    request = schema_in(described(), {"$ref": "#/components/schemas/TaskRequest"})
    assert request.is_valid({"data": {"min": 0, "max": 1}})
    assert not request.is_valid({"data": "not for simulate"})
    assert not request.is_valid({"data": None, "unknown_key": 1})


def test_a_request_under_earlier_names_is_in_the_document() -> None:
    request = schema_in(described(), {"$ref": "#/components/schemas/PayloadRequest"})
    for good in ({"Payload": [1]}, {"Payload": None, "Parameters": {"a": "b"}, "task_type": "echo", "priority": "low"}):
        assert request.is_valid(good)
    for bad in ({}, {"Payload": 1, "data": 1}, {"Payload": 1, "Parameters": 1}, {"Payload": 1, "unknown_key": 1}):
        assert not request.is_valid(bad)


def test_there_is_one_operation_of_each_name() -> None:
    names = [operation.name for group in groups() for operation in group.operations]
    assert len(names) == len(set(names))
    assert [name for name in names if not re.fullmatch("[a-z][A-Za-z]+", name)] == []
