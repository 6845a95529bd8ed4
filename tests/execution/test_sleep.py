"""The task type `sleep`: which elements it accepts, and its timeout for them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queue_tool.execution.builtin import sleep_type
from queue_tool.execution.call import execute
from queue_tool.model import json_text
from queue_tool.model.context import Context
from queue_tool.model.outcome import Returned
from queue_tool.model.queues import Lane, Priority

relaxed = settings(deadline=None)
SLEEP = sleep_type(86400.0)


def paths(value: object) -> set[str]:
    return {error.path for error in SLEEP.schema.errors(value)}


@pytest.mark.parametrize(
    "text",
    [
        '{"item": "item01", "valor": 10}',
        '{"item": "", "valor": 0}',
        '{"item": "a", "valor": 0.5}',
        '{"item": "a", "valor": 86400}',
        '{"item": "a", "valor": 86400.0}',
        '{"item": "a", "valor": -0.0}',
        '{"item": "a", "valor": 1e2}',
        '{"item": "a", "valor": 1e-400}',
        '{"item": "line\\nbreak\\ttab\\u0001", "valor": 1}',
        '{"item": "ação 😀 \\u2028", "valor": 1}',
        '{"item": "a", "valor": 1, "more": null, "further": {"valor": "x"}}',
        '{"valor": "x", "item": "a", "valor": 1}',
        '{"item": "a", "valor": 1, "\\u0000": "\\u0000"}',
    ],
)
def test_a_valid_element_is_accepted(text: str) -> None:
    value = json_text.loads(text)
    assert SLEEP.schema.accepts(value)
    assert SLEEP.schema.errors(value) == ()


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('{"item": "a"}', ""),
        ('{"item": "a", "Valor": 1}', ""),
        ('{"item": "a", "valor": null}', "/valor"),
        ('{"item": "a", "valor": true}', "/valor"),
        ('{"item": "a", "valor": false}', "/valor"),
        ('{"item": "a", "valor": "1"}', "/valor"),
        ('{"item": "a", "valor": ""}', "/valor"),
        ('{"item": "a", "valor": [1]}', "/valor"),
        ('{"item": "a", "valor": {"a": 1}}', "/valor"),
        ('{"item": "a", "valor": -1}', "/valor"),
        ('{"item": "a", "valor": -0.001}', "/valor"),
        ('{"item": "a", "valor": 86400.001}', "/valor"),
        ('{"item": "a", "valor": 86401}', "/valor"),
        ('{"item": "a", "valor": 1e308}', "/valor"),
        ('{"item": "a", "valor": 18446744073709551616}', "/valor"),
        ('{"valor": 1}', ""),
        ('{"item": null, "valor": 1}', "/item"),
        ('{"item": 1, "valor": 1}', "/item"),
        ('{"item": true, "valor": 1}', "/item"),
        ('{"item": ["a"], "valor": 1}', "/item"),
        ('{"item": {}, "valor": 1}', "/item"),
        ('{"item": "\\u0000", "valor": 1}', "/item"),
        ('{"item": "a\\u0000b", "valor": 1}', "/item"),
        ('{"item": "line\\n\\u0000", "valor": 1}', "/item"),
        ("{}", ""),
        ("[]", ""),
        ('[{"item": "a", "valor": 1}]', ""),
        ("null", ""),
        ("true", ""),
        ("1", ""),
        ('"item"', ""),
    ],
)
def test_an_invalid_element_is_refused_with_the_path_of_the_error(text: str, path: str) -> None:
    value = json_text.loads(text)
    assert not SLEEP.schema.accepts(value)
    assert paths(value) == {path}


def test_a_boolean_is_not_a_valor() -> None:
    (error,) = SLEEP.schema.errors({"item": "a", "valor": True})
    assert error.message == "true is not of type 'number'"


def test_every_error_of_an_element_is_reported() -> None:
    assert paths({"item": 1, "valor": "x"}) == {"/item", "/valor"}


def test_both_keys_are_required() -> None:
    assert {error.message for error in SLEEP.schema.errors({})} == {
        "'item' is a required property",
        "'valor' is a required property",
    }


@relaxed
@given(st.text(), st.floats(0, 86400) | st.integers(0, 86400))
def test_any_item_without_a_null_character_and_any_time_up_to_the_maximum_are_valid(item: str, valor: float) -> None:
    assert SLEEP.schema.accepts({"item": item, "valor": valor}) == ("\0" not in item)


@pytest.mark.parametrize(("valor", "taken"), [(0, True), (2, True), (2.5, True), (2.6, False), (3, False)])
def test_the_maximum_comes_from_the_setting(valor: float, taken: bool) -> None:
    assert sleep_type(2.5).schema.accepts({"item": "a", "valor": valor}) is taken


def test_a_maximum_of_zero_allows_only_items_that_take_no_time() -> None:
    nothing = sleep_type(0.0)
    assert nothing.schema.accepts({"item": "a", "valor": 0})
    assert not nothing.schema.accepts({"item": "a", "valor": 0.001})


def test_two_sleep_types_have_independent_maximums() -> None:
    small, large = sleep_type(1.0), sleep_type(100.0)
    assert not small.schema.accepts({"item": "a", "valor": 50})
    assert large.schema.accepts({"item": "a", "valor": 50})


@pytest.mark.parametrize("depth", [254, 255, 256, 1022])
def test_an_ignored_key_may_have_any_legal_depth(depth: int) -> None:
    value = json_text.loads('{"item":"a","valor":1,"deep":' + "[" * depth + "]" * depth + "}")
    assert SLEEP.schema.accepts(value)


@pytest.mark.parametrize("valor", [0, 0.5, 10, 86400])
def test_the_timeout_is_the_valor_plus_a_minute(valor: float) -> None:
    assert SLEEP.timeout_of({"item": "a", "valor": valor}, 3600.0) == valor + 60


def test_sleep_runs_on_the_loop_with_normal_priority() -> None:
    assert (SLEEP.name, SLEEP.lane, SLEEP.priority, SLEEP.list) == ("sleep", Lane.LOOP, Priority.NORMAL, "default")
    assert not SLEEP.takes_context
    assert SLEEP.description


@pytest.mark.parametrize("valor", [0, -0.0, 0.01])
def test_sleep_returns_null(valor: float) -> None:
    context = Context(token="0" * 32, attempt=1, deadline=None)
    assert execute(SLEEP, {"item": "a", "valor": valor}, context, 30) == Returned(result="null")
