"""The schemas of the document: those of the payloads, and those that validate the tasks of each type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, get_args

import msgspec

from queue_tool.model import task_request
from queue_tool.model.payload_request import KEYS, PAYLOAD_TYPE
from queue_tool.model.payloads.fields import REFERENCE, Payload
from queue_tool.model.payloads.filters import FailedFilters, Filters
from queue_tool.model.payloads.queries import LONGEST_LABEL, MOST_LABELS, Paging, Query
from queue_tool.model.states import State
from queue_tool.model.task_types import TaskType
from queue_tool.web.http.submissions import MAIN_TYPE

Json = dict[str, Any]


NO_NULL = r"^[^\u0000]*$"
"""The pattern of texts in queries."""

_SHARED: Json = {
    "Labels": {
        "type": "object",
        "description": "The labels of a batch.",
        "additionalProperties": {"type": "string"},
    },
    "LabelParameters": {
        "type": "object",
        "description": "The labels of a batch: each name is `metadata.` and the name of the label.",
        "patternProperties": {
            rf"^metadata\.[^\u0000]{{1,{LONGEST_LABEL}}}$": {
                "type": "string",
                "minLength": 1,
                "maxLength": LONGEST_LABEL,
                "pattern": NO_NULL,
            }
        },
        "additionalProperties": False,
        "maxProperties": MOST_LABELS,
    },
    "Parameters": {
        "type": "object",
        "description": "Additional input for the function.",
        "additionalProperties": True,
        "maxProperties": task_request.MOST_PARAMETERS,
    },
    "Continuation": {
        "type": "object",
        "description": "A task as in `POST /tasks`, with the additional key `when`: `always` (the default), "
        "`all_finished` or `any_failed`.",
        "additionalProperties": True,
    },
    "AnyJson": {"description": "Any JSON."},
    "JsonSchema": {"type": "object", "description": "A JSON Schema (2020-12).", "additionalProperties": True},
}
"""Objects that several bodies have, by name: generators name the class of an object without a name after its place."""

NO_SCHEMAS = frozenset({"const", "enum", "default", "examples", "example"})
"""Keywords of JSON Schema whose values are data, and no schemas."""

OF_NAMES = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"})
"""Keywords of JSON Schema whose values are objects with any names, and a schema under each."""


def reference(name: str) -> Json:
    """Return the reference to a schema."""
    return {"$ref": f"{REFERENCE}{name}"}


def schema_of(body: Any) -> Json:
    """Return the reference to the schema of a body's type, or to one of several."""
    if isinstance(body, UnionType):
        return {"anyOf": [schema_of(part) for part in get_args(body)]}
    return reference(body.__name__)


def payload_schemas(kinds: Iterable[type[Payload]]) -> tuple[Json, Mapping[type[Query], Json]]:
    """Return the schemas of payloads by name, with those of all their parts; and apart those of query parameters.

    Args:
        kinds: the types of the payloads. Those of query parameters have no schema of their own in the document.
    """
    _, found = msgspec.json.schema_components(sorted(kinds, key=str), ref_template=REFERENCE + "{name}")
    for kind in kinds:
        found[kind.__name__] |= kind.RULES
    queries = {kind: found.pop(kind.__name__)["properties"] for kind in kinds if issubclass(kind, Query)}
    return _plain(found | _filters(queries) | _SHARED), _plain(queries)


def _plain(value: Any) -> Any:
    """Return schemas in words that all generators of clients know.

    Each enumeration gets its type, and one of a single value becomes a constant. A reference replaces the type.
    """
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if not isinstance(value, dict):
        return value
    plain = {key: _plain(part) for key, part in value.items()}
    if isinstance(plain.get("$ref"), str):
        return {key: plain[key] for key in ("description", "$ref") if key in plain}
    if isinstance(plain.get("enum"), list):
        plain["type"] = "string"
        if len(plain["enum"]) == 1:
            (plain["const"],) = plain.pop("enum")
    return plain


def _filters(queries: Mapping[type[Query], Json]) -> Json:
    """Return the schemas of the filters in bodies: the values are texts, as in a query."""
    return {
        name: {
            "type": "object",
            "description": "Selects the tasks that match all of these filters.",
            "properties": {
                key: _as_text(schema) for key, schema in queries[kind].items() if key not in Paging.__struct_fields__
            },
            "additionalProperties": False,
        }
        for name, kind in {"TaskFilter": Filters, "FailedTaskFilter": FailedFilters}.items()
    }


def _as_text(schema: Json) -> Json:
    plain = without_null(schema)
    if plain.get("type") == "array":
        state = "|".join(State)
        description = f"{plain['description'].removesuffix('.')}, separated by commas."
        return {"type": "string", "description": description, "pattern": f"^({state})(,({state}))*$"}
    return plain


def without_null(schema: Json) -> Json:
    """Return the schema of a parameter or a filter: it may be missing, but not null, and no text has U+0000."""
    plain = {key: value for key, value in schema.items() if key != "anyOf" and (key, value) != ("default", None)}
    for part in schema.get("anyOf", ()):
        plain |= {} if part == {"type": "null"} else part
    if plain.get("type") == "string" and not {"enum", "format", "pattern"} & plain.keys():
        plain["pattern"] = NO_NULL
    return plain


def task_schemas(types: Mapping[str, TaskType], max_batch: int) -> Json:
    """Return the schemas of the requests that send tasks, and of the data of each task type.

    Args:
        types: the task types.
        max_batch: elements in one request.
    """
    envelope: Json = {key: value for key, value in task_request.DOCUMENT.items() if key != "$schema"}
    properties = _properties(envelope.pop("properties"))
    data = {name: f"TaskData_{name}" for name in sorted(types)}
    several = {"type": "array", "maxItems": max_batch}
    return {
        **{component: _embedded(types[name], component) for name, component in data.items()},
        **_of_elements(several, data[MAIN_TYPE]),
        **_of_requests(envelope, properties, data),
        "TaskRequests": {
            "description": "One task, an array of tasks, or the data itself.",
            "anyOf": [
                reference("TaskRequest"),
                reference("PayloadRequest"),
                several | {"items": {"anyOf": [reference("TaskRequest"), reference("PayloadRequest")]}},
                {"description": "With the parameter `task_type`: the data of one task, or an array of such data."},
            ],
        },
    }


def _properties(own: Json) -> Json:
    """Return the properties of a task, in which schemas that others have, too, are references."""
    properties = {**own}
    for key, component in {"priority": "Priority", "parameters": "Parameters"}.items():
        description = properties[key]["description"]
        properties[key] = {"description": description, "anyOf": [reference(component), {"type": "null"}]}
    following = {key: value for key, value in properties["on_finished"].items() if key in ("items", "maxItems")}
    properties["on_finished"] = {
        "description": properties["on_finished"]["description"],
        "anyOf": [
            reference("Continuation"),
            {"type": "array", **following, "items": reference("Continuation")},
            {"type": "null"},
        ],
    }
    return properties


def _of_elements(several: Json, main_data: str) -> Json:
    """Return the schemas of arrays of elements."""
    return {
        "Elements": several
        | {
            "description": "The data of each task. An element that does not match the schema is refused; "
            "the others are accepted.",
            "items": reference(main_data),
        },
        "OpenBatchElements": several
        | {
            "description": "Tasks, as in `POST /tasks`. For an open batch with a `task_type`: the data of each task.",
            "items": {"anyOf": [reference("TaskRequest"), {"description": "The data of one task."}]},
        },
    }


def _of_requests(envelope: Json, properties: Json, data: Mapping[str, str]) -> Json:
    """Return the schemas of one task, in each of its forms."""
    choice = [
        {"if": _names_type(name), "then": {"properties": {"data": reference(component)}}}
        for name, component in data.items()
    ]
    of_payload = {"Payload": properties["data"], "Parameters": properties["parameters"]}
    return {
        "TaskRequest": envelope | {"description": "One task.", "properties": properties, "allOf": choice},
        "PayloadRequest": envelope
        | {
            "title": "PayloadRequest",
            "description": "One task, under the names of an earlier system: `Payload` is the data, and `Parameters` "
            f"the parameters, both also in lower case. Without `task_type` it runs `{PAYLOAD_TYPE}`.",
            "properties": {key: value for key, value in properties.items() if key not in KEYS.values()} | of_payload,
            "required": ["Payload"],
        },
    }


def _names_type(name: str) -> Json:
    named = {"properties": {"task_type": {"const": name}}}
    return named if name == task_request.STANDARD_TYPE else named | {"required": ["task_type"]}


def _embedded(kind: TaskType, component: str) -> Json:
    """Return the schema of a task type's data, so that its own references still lead to its own parts."""
    document = kind.schema.document
    if isinstance(document, bool):
        return {"not": {}} if document is False else {"description": f"The data of `{kind.name}`: any JSON."}
    schema = {key: value for key, value in document.items() if key not in ("$schema", "$id")}
    moved: Json = _moved(schema, str(document.get("$id", "")), f"{REFERENCE}{component}")
    return {"description": kind.description} | moved | {"title": component}


def _moved(value: Any, own: str, place: str, *, has_names: bool = False) -> Any:
    """Return a schema that stands at another place in a document, with its references to itself changed.

    Args:
        value: the schema, or a part of it. A part with an `$id` of its own stays as it is.
        own: the `$id` that the whole schema had; empty if it had none.
        place: where it stands now.
        has_names: whether its keys are names of schemas, and no keywords.
    """
    if isinstance(value, list):
        return [_moved(part, own, place) for part in value]
    if not isinstance(value, dict):
        return value
    if has_names:
        return {name: _moved(part, own, place) for name, part in value.items()}
    if "$id" in value:
        return value
    moved = {
        key: part if key in NO_SCHEMAS else _moved(part, own, place, has_names=key in OF_NAMES)
        for key, part in value.items()
    }
    target = moved.get("$ref")
    if isinstance(target, str):
        local = target.removeprefix(own)
        moved["$ref"] = place + local[1:] if local == "#" or local.startswith("#/") else place if not local else target
    return moved
