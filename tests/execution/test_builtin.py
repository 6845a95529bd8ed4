"""The built-in task types: what all of them share, the two types for texts, and `echo`."""

from __future__ import annotations

import asyncio
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queue_tool.execution.builtin import builtin_types
from queue_tool.execution.call import execute_on_loop
from queue_tool.model import json_text
from queue_tool.model.context import Context
from queue_tool.model.outcome import Ended, Returned
from queue_tool.model.queues import Lane
from queue_tool.model.task_types import TaskTypes

relaxed = settings(deadline=None)
TYPES = TaskTypes(builtin_types(86400.0))


def ended(name: str, data: object) -> Ended:
    context = Context(token="0" * 32, attempt=1, deadline=None)
    return asyncio.run(execute_on_loop(TYPES[name], data, lambda: context))


def result(name: str, data: object) -> Any:
    found = ended(name, data)
    assert isinstance(found, Returned), found
    return json_text.loads(found.result)


# -- all types ---------------------------------------------------------------------------------------------


def test_the_built_in_types_are_those_of_the_contract() -> None:
    assert set(TYPES) == {"sleep", "simulate", "reverse_text", "uppercase", "sum_numbers", "echo"}


@pytest.mark.parametrize("name", TYPES)
def test_each_type_has_a_valid_schema_the_loop_lane_and_a_description_of_one_sentence(name: str) -> None:
    TYPES[name].schema.compile()
    assert TYPES[name].lane is Lane.LOOP
    assert TYPES[name].description.endswith(".")
    assert ". " not in TYPES[name].description


# -- texts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["reverse_text", "uppercase"])
@pytest.mark.parametrize("data", [None, True, 1, ["a"], {"text": "a"}], ids=str)
def test_the_data_must_be_a_string(name: str, data: object) -> None:
    assert [error.path for error in TYPES[name].schema.errors(data)] == [""]


@pytest.mark.parametrize(
    ("text", "backwards"),
    [("Merhaba", "abahreM"), ("", ""), ("a\n\0", "\0\na"), ("ação 😀", "😀 oãça"), ("e\u0301!", "!\u0301e")],
    ids=repr,
)
def test_a_text_is_reversed_by_code_points(text: str, backwards: str) -> None:
    assert result("reverse_text", text) == backwards


@relaxed
@given(st.text())
def test_a_text_that_is_reversed_twice_is_the_same(text: str) -> None:
    assert TYPES["reverse_text"].schema.accepts(text)
    assert result("reverse_text", result("reverse_text", text)) == text


@pytest.mark.parametrize(
    ("text", "capitals"), [("Merhaba", "MERHABA"), ("", ""), ("straße ação", "STRASSE AÇÃO"), ("привет 1", "ПРИВЕТ 1")]
)
def test_a_text_is_converted_to_capital_letters(text: str, capitals: str) -> None:
    assert result("uppercase", text) == capitals


@relaxed
@given(st.text())
def test_the_result_has_no_small_ascii_letters_and_converting_it_again_changes_nothing(text: str) -> None:
    capitals = result("uppercase", text)
    assert not set(capitals) & set(string.ascii_lowercase)
    assert result("uppercase", capitals) == capitals


# -- echo --------------------------------------------------------------------------------------------------

numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
anything = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@relaxed
@given(anything)
def test_echo_returns_its_data(data: object) -> None:
    assert TYPES["echo"].schema.accepts(data)
    assert ended("echo", data) == Returned(result=json_text.dumps_result(data))
    assert result("echo", data) == data


@pytest.mark.parametrize("text", ["2.0", "2", "[1.0,1e+300,true]", '{"b":1,"a":null}', "null"])
def test_echo_keeps_the_notation_of_numbers_and_the_order_of_keys(text: str) -> None:
    assert ended("echo", json_text.loads(text)) == Returned(result=text)
