"""JSON Schema: jsonschema-rs decides, jsonschema words the reasons, which are few, short and have a path."""

from __future__ import annotations

import itertools
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queue_tool.errors import BadTaskType
from queue_tool.model import json_text
from queue_tool.model.explainer import MAX_ERRORS
from queue_tool.model.quotation import MAX_QUOTED
from queue_tool.model.schema import MAX_MESSAGE, FieldError, Schema

relaxed = settings(deadline=None)
keys = st.text(max_size=5) | st.sampled_from(["/", "~", "~0", "~1", "a/b~c", "", "0"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-1e9, 1e9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=10,
)

DOCUMENTS: list[dict[str, object] | bool] = [
    True,
    False,
    {"type": "object", "required": ["a"]},
    {"type": ["integer", "string"]},
    {"type": "array", "items": {"type": "integer"}, "uniqueItems": True},
    {"additionalProperties": {"minimum": 0}},
    {"anyOf": [{"const": 1}, {"maxLength": 2}]},
    {"not": {"type": "null"}},
    {"multipleOf": 0.5},
    {"enum": [None, True, 1, "", []]},
    {"propertyNames": {"maxLength": 1}},
    {"$defs": {"tree": {"items": {"$ref": "#/$defs/tree"}, "not": {"type": "null"}}}, "$ref": "#/$defs/tree"},
]


# -- the decision ------------------------------------------------------------------------------------------


@relaxed
@given(st.sampled_from(DOCUMENTS), values)
def test_jsonschema_rs_decides(document: dict[str, object] | bool, value: object) -> None:
    decider = jsonschema_rs.Draft202012Validator(document)
    assert Schema(document).accepts(value) is decider.is_valid(value)


@relaxed
@given(st.sampled_from(DOCUMENTS), values)
def test_exactly_the_refused_values_have_reasons(document: dict[str, object] | bool, value: object) -> None:
    schema = Schema(document)
    errors = schema.errors(value)
    assert bool(errors) is not schema.accepts(value)
    assert len(errors) <= MAX_ERRORS
    assert all(0 < len(error.message) <= MAX_MESSAGE for error in errors)


def test_only_ascii_digits_match_the_digit_class() -> None:
    schema = Schema({"type": "string", "pattern": r"^\d$"})
    assert schema.accepts("3")
    assert not schema.accepts("٣")


def test_the_end_anchor_does_not_match_before_a_line_break() -> None:
    schema = Schema({"type": "string", "pattern": "^a$"})
    assert schema.accepts("a")
    assert not schema.accepts("a\n")


@pytest.mark.parametrize(("pattern", "value"), [(r"^\d$", "٣"), ("^a$", "a\n"), (r"^\p{L}+$", "1"), ("(?<a>x)", "1")])
def test_jsonschema_rs_reads_a_pattern_and_the_message_is_worded_as_by_jsonschema(pattern: str, value: str) -> None:
    (error,) = Schema({"pattern": pattern}).errors(value)
    assert error.message == f"{json_text.dumps(value).decode()} does not match {pattern!r}"


@pytest.mark.parametrize(
    "document", [{"unevaluatedProperties": False}, {"properties": {"a": {"unevaluatedItems": False}}}], ids=str
)
def test_where_jsonschema_finds_nothing_wrong_the_decider_speaks(document: dict[str, object]) -> None:
    (error,) = Schema(document).errors({"a": [1]})
    (decided,) = jsonschema_rs.Draft202012Validator(document).iter_errors({"a": [1]})
    assert error.message == decided.message
    assert error.path == "".join(f"/{step}" for step in decided.instance_path)


def test_an_error_from_jsonschema_rs_has_a_path_too() -> None:
    schema = Schema({"properties": {"a/b~c": {"items": {"pattern": "^a$"}}}})
    (error,) = schema.errors({"a/b~c": ["a", "a\n"]})
    assert error.path == "/a~1b~0c/1"


def test_a_boolean_is_not_a_number() -> None:
    schema = Schema({"type": "number"})
    assert not schema.accepts(True)
    assert schema.accepts(1)


def test_a_float_without_a_fraction_is_an_integer() -> None:
    assert Schema({"type": "integer"}).accepts(1.0)


# -- the reasons -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "value", "path", "message"),
    [
        ({"required": ["a"]}, {}, "", "'a' is a required property"),
        ({"properties": {"a": {"type": "number"}}}, {"a": "1"}, "/a", "\"1\" is not of type 'number'"),
        ({"properties": {"a": {"minimum": 0}}}, {"a": -1}, "/a", "-1 is less than the minimum of 0"),
        ({"maximum": 86400}, 86401, "", "86401 is greater than the maximum of 86400"),
        ({"items": {"type": "string"}}, ["a", 1], "/1", "1 is not of type 'string'"),
        ({"properties": {"a": {"items": {"const": 1}}}}, {"a": [1, 2]}, "/a/1", "1 was expected"),
        (False, 1, "", "False schema does not allow 1"),
    ],
)
def test_the_message_and_the_path_of_an_error_are_from_jsonschema(
    document: dict[str, object] | bool, value: object, path: str, message: str
) -> None:
    assert Schema(document).errors(value) == (FieldError(path=path, message=message),)


def pointed_at(value: object, pointer: str) -> object:
    """Return the value at a JSON Pointer, as RFC 6901 defines it."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value[name]
        else:
            assert isinstance(value, list)
            value = value[int(name)]
    return value


def forbidding_null() -> Schema:
    here = {"$ref": "#"}
    return Schema({"not": {"type": "null"}, "items": here, "additionalProperties": here})


@relaxed
@given(values)
def test_a_path_is_a_json_pointer_to_the_wrong_value(value: object) -> None:
    assert all(pointed_at(value, error.path) is None for error in forbidding_null().errors(value))


@relaxed
@given(st.lists(keys, min_size=1, max_size=6))
def test_the_path_of_a_nested_error_names_each_key(names: list[str]) -> None:
    value: object = None
    for name in reversed(names):
        value = {name: value}
    (error,) = forbidding_null().errors(value)
    assert error.path == "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)


def test_at_most_ten_reasons_are_kept() -> None:
    errors = Schema({"items": {"type": "string"}}).errors(list(range(50)))
    assert len(errors) == MAX_ERRORS == 10
    assert len(set(errors)) == 10


ALIKE: list[tuple[dict[str, object] | bool, object]] = [
    ({"items": {"minimum": 2}}, [1, 2, 1]),
    ({"items": False, "prefixItems": [True]}, [1, 2]),
    ({"items": False}, [1]),
    ({"prefixItems": [{"minimum": 2}, {"minimum": 2}]}, [1, 1]),
    ({"properties": {"a": {"minimum": 2}}, "patternProperties": {"^b": False}}, {"a": 1, "bc": 1, "c": 1}),
    ({"additionalProperties": False, "properties": {"a": True}}, {"a": 1, "c": 1, "b": 1}),
    ({"additionalProperties": False, "patternProperties": {"^b": True, "^c": True}}, {"a": 1, "b": 1}),
    ({"additionalProperties": False, "patternProperties": {"^b": True}}, {"a": 1, "d": 1}),
    ({"additionalProperties": {"minimum": 2}}, {"a": 1, "b": 3}),
    ({"propertyNames": {"maxLength": 1}}, {"a": 1, "bc": 1}),
    ({"contains": {"minimum": 2}}, [1]),
    ({"contains": {"minimum": 1}, "maxContains": 1}, [1, 1]),
    ({"contains": {"minimum": 2}, "minContains": 2}, [2]),
    ({"anyOf": [{"minimum": 2}, {"type": "string"}]}, 1),
    ({"oneOf": [{"minimum": 2}, {"type": "string"}]}, 1),
    ({"oneOf": [{"minimum": 2}, {"minimum": 1}, {"minimum": 0}]}, 3),
    ({"not": {"minimum": 0}}, 1),
    ({"if": {"minimum": 0}, "then": {"minimum": 5}}, 1),
    ({"if": {"minimum": 2}, "else": {"minimum": 5}}, 1),
    ({"enum": [2, 3]}, 1),
    ({"uniqueItems": True}, [1] * 2),
    ({"minItems": 1}, []),
    ({"minItems": 2, "maxItems": 0}, [1]),
    ({"minProperties": 1}, {}),
    ({"type": ["string", "null"]}, [1]),
    ({"dependentRequired": {"a": ["b", "c"]}}, {"a": 1}),
    ({"dependentSchemas": {"a": {"required": ["b"]}}}, {"a": 1}),
    ({"allOf": [{"minimum": 2}, {"$ref": "#/$defs/d"}], "$defs": {"d": {"multipleOf": 2}}}, 1),
    ({"$defs": {"n": {"$anchor": "n", "minimum": 2}}, "items": {"$ref": "#n"}}, [1]),
    ({"$dynamicAnchor": "t", "properties": {"a": {"$dynamicRef": "#t"}}, "required": ["a"]}, {"a": {"a": {}}}),
]


@pytest.mark.parametrize(("document", "value"), ALIKE, ids=str)
def test_the_bounded_explainer_returns_the_messages_of_jsonschema(document: dict[str, object], value: object) -> None:
    expected = {
        (
            "".join(f"/{step}" for step in error.absolute_path),
            error.message.replace("[1, 1]", "[1,1]").replace("'bc' is too", '"bc" is too'),
        )
        for error in jsonschema.Draft202012Validator(document).iter_errors(value)
    }
    assert expected
    assert {(error.path, error.message) for error in Schema(document).errors(value)} == expected


# -- the bounds --------------------------------------------------------------------------------------------

MANY = 30_000
NUMBERS: dict[str, object] = {"items": {"type": "number"}}
RECURSIVE: dict[str, object] = {"type": "object", "additionalProperties": {"$ref": "#"}, "items": {"$ref": "#"}}

HEAVY: list[tuple[str, dict[str, object], Callable[[], object]]] = [
    ("each element", NUMBERS, lambda: [""] * MANY),
    ("the last element", NUMBERS, lambda: [*([1] * MANY), ""]),
    ("a branch", {"anyOf": [NUMBERS, {"type": "object"}]}, lambda: [""] * MANY),
    ("one branch", {"oneOf": [NUMBERS, {"type": "object"}]}, lambda: [""] * MANY),
    ("each branch", {"items": {"anyOf": [{"type": "number"}, {"type": "object"}]}}, lambda: [""] * MANY),
    ("by reference", {"$defs": {"n": NUMBERS}, "allOf": [{"$ref": "#/$defs/n"}]}, lambda: [""] * MANY),
    ("recursive", RECURSIVE, lambda: {"a": {str(number): 1 for number in range(MANY)}}),
    ("one text many times", {"allOf": [{"type": "object"}] * 10}, lambda: "\x7f" * 200_000 + "\U0001f600"),
    ("one array many times", {"allOf": [{"type": "object"}, {"maxItems": 1}] * 10}, lambda: [1] * MANY),
    ("names", {"additionalProperties": False}, lambda: {f"{number}\x7f": 0 for number in range(MANY)}),
    ("each name", {"propertyNames": {"maxLength": 0}}, lambda: {str(number): 0 for number in range(MANY)}),
    ("matching names", {"patternProperties": {"1": False}}, lambda: {str(number): 0 for number in range(MANY)}),
    ("an object", {"maxProperties": 1, "type": "array"}, lambda: {str(number): 0 for number in range(MANY)}),
    ("unlike elements", {"uniqueItems": True}, lambda: [*map(str, range(MANY)), *([i] for i in range(MANY)), "1"]),
    ("a slow pattern", {"pattern": "^(a+)+$"}, lambda: "a" * 50_000 + "!"),
    ("a slow pattern of names", {"patternProperties": {"^(a+)+$": True}, "required": ["b"]}, lambda: {"a" * 999: 1}),
    ("not contained", {"contains": {"type": "number"}}, lambda: [""] * MANY),
    ("not evaluated", {"unevaluatedItems": False}, lambda: [""] * MANY),
    ("the rest", {"items": False}, lambda: [""] * MANY),
    ("in none of them", {"enum": [1, 2]}, lambda: [""] * MANY),
    ("forbidden", {"not": {"type": "array"}}, lambda: [[""]] * MANY),
]


@pytest.mark.parametrize(("document", "make"), [case[1:] for case in HEAVY], ids=[case[0] for case in HEAVY])
def test_a_refusal_costs_memory_and_steps_in_proportion_to_its_body(
    document: dict[str, object], make: Callable[[], object]
) -> None:
    schema, body = Schema(document), len(json_text.dumps(make()))
    assert schema.errors([None, {"a": None}]) is not None  # the schema is compiled before anything is counted
    value = json_text.loads(json_text.dumps(make()))
    tracemalloc.start()
    errors = schema.errors(value)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 1 <= len(errors) <= MAX_ERRORS
    assert peak <= 10 * body + 2**20  # beyond the value itself; one MiB for what does not grow
    assert steps_of(lambda: schema.errors(value)) <= 10 * body + 20_000


def steps_of(work: Callable[[], object]) -> int:
    """Return the number of calls and returns, also of functions in C, while something works."""
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return steps


@pytest.mark.parametrize("length", [1, 97, 98, 99, 100, 5000])
def test_a_long_value_is_quoted_as_json_and_cut(length: int) -> None:
    (error,) = Schema({"type": "integer"}).errors("x" * length)
    quoted = f'"{"x" * length}"'
    shown = quoted if len(quoted) <= MAX_QUOTED == 100 else quoted[:99] + "…"
    assert error.message == f"{shown} is not of type 'integer'"


def test_a_long_reason_is_shortened() -> None:
    (error,) = Schema({"enum": ["y" * 500]}).errors("x")
    assert error.message.startswith('"x" is not one of')
    assert len(error.message) == MAX_MESSAGE == 300
    assert error.message.endswith("…")


@pytest.mark.parametrize(("value", "quoted"), [(None, "null"), (True, "true"), ({"a": "\0"}, '{"a":"\\u0000"}')])
def test_a_reason_quotes_values_as_json(value: object, quoted: str) -> None:
    (error,) = Schema({"type": "integer"}).errors(value)
    assert error.message == f"{quoted} is not of type 'integer'"


def test_a_long_message_of_jsonschema_rs_is_shortened() -> None:
    (error,) = Schema({"unevaluatedItems": False}).errors(["a"] * 500)
    assert len(error.message) == MAX_MESSAGE


# -- deep values -------------------------------------------------------------------------------------------


def nested(depth: int, leaf: object = 1) -> object:
    value = leaf
    for _ in range(depth):
        value = [value]
    return value


DEPTHS = [200, 254, 255, 256, 300, 1000, 1023]


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(
    "document", [True, {"type": "array"}, {"items": {"type": "array"}}, {"type": "array", "minItems": 1}], ids=str
)
def test_a_value_of_any_legal_depth_is_accepted(document: dict[str, object] | bool, depth: int) -> None:
    assert Schema(document).accepts(nested(depth))


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_schema_checks_values_at_any_legal_depth(depth: int) -> None:
    schema = Schema({"items": {"$ref": "#"}, "not": {"type": "null"}})
    assert schema.accepts(nested(depth))
    assert not schema.accepts(nested(depth, None))
    assert [error.path for error in schema.errors(nested(depth, None))] == ["/0" * depth]


@pytest.mark.parametrize("depth", [200, 254, 255, 256, 300])
def test_a_deep_value_is_refused_with_a_reason(depth: int) -> None:
    (error,) = Schema({"type": "object"}).errors(nested(depth))
    assert error.path == ""
    assert error.message == "[" * 99 + "… is not of type 'object'"


# -- schemas that cannot be used ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        {"type": "strin"},
        {"type": 5},
        {"required": "a"},
        {"minimum": "1"},
        {"pattern": "("},
        {"properties": []},
        {"$ref": "#/nowhere"},
        {"$ref": "nowhere.json"},
        {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}]},
        {"enum": {1}},
    ],
    ids=str,
)
def test_an_invalid_schema_is_refused_in_one_sentence(document: dict[str, object]) -> None:
    with pytest.raises(BadTaskType) as caught:
        Schema(document).compile()
    assert caught.value.sentence.startswith("The JSON Schema cannot be used: ")
    assert caught.value.sentence.endswith(".")
    assert not caught.value.sentence.endswith("..")
    assert "\n" not in caught.value.sentence


def test_a_schema_keeps_its_document() -> None:
    document: dict[str, object] = {"type": "string"}
    assert Schema(document).document is document


def test_every_document_of_these_tests_that_is_not_boolean_accepts_and_refuses_a_sample() -> None:
    samples = [None, 1, 0.3, -1, "", "abc", [], [1, 1], {}, {"a": 1}, {"ab": -1}, [[None]], json_text.loads("[[[1]]]")]
    judged = itertools.product([document for document in DOCUMENTS if not isinstance(document, bool)], samples)
    verdicts = [(str(document), Schema(document).accepts(sample)) for document, sample in judged]
    assert len(set(verdicts)) == 2 * (len(DOCUMENTS) - 2)


def nested_in(depth: int) -> object:
    value: object = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [253, 500, 900, 960, 990, 1020])
@pytest.mark.parametrize("document", [{"type": "object"}, False, {"uniqueItems": True, "maxItems": 0}])
def test_a_refused_value_of_any_depth_has_a_reason(document: Any, depth: int) -> None:
    errors = Schema(document).errors([nested_in(depth), nested_in(depth)])
    assert errors
    assert all(error.message for error in errors)
