"""The task types that come with the package: all of them, texts, and `echo`; the others have files of their own."""

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
    return asyncio.run(execute_on_loop(TYPES[name], data, context))


def result(name: str, data: object) -> Any:
    found = ended(name, data)
    assert isinstance(found, Returned), found
    return json_text.loads(found.result)


# -- all of them -------------------------------------------------------------------------------------------


def test_the_names_are_those_of_the_contract() -> None:
    assert set(TYPES) == {"sleep", "simulate", "reverse_text", "uppercase", "sum_numbers", "echo"}


@pytest.mark.parametrize("name", TYPES)
def test_each_runs_on_the_loop_has_a_schema_that_can_be_used_and_one_sentence(name: str) -> None:
    TYPES[name].schema.compile()
    assert TYPES[name].lane is Lane.LOOP
    assert TYPES[name].description.endswith(".")
    assert ". " not in TYPES[name].description


# -- texts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["reverse_text", "uppercase"])
@pytest.mark.parametrize("data", [None, True, 1, ["a"], {"text": "a"}], ids=str)
def test_only_a_bare_string_is_a_text(name: str, data: object) -> None:
    assert [error.path for error in TYPES[name].schema.errors(data)] == [""]


@pytest.mark.parametrize(
    ("text", "backwards"),
    [("Merhaba", "abahreM"), ("", ""), ("a\n\0", "\0\na"), ("ação 😀", "😀 oãça"), ("e\u0301!", "!\u0301e")],
    ids=repr,
)
def test_a_text_is_turned_around_by_code_points(text: str, backwards: str) -> None:
    assert result("reverse_text", text) == backwards


@relaxed
@given(st.text())
def test_a_text_that_is_turned_around_twice_is_the_same(text: str) -> None:
    assert TYPES["reverse_text"].schema.accepts(text)
    assert result("reverse_text", result("reverse_text", text)) == text


@pytest.mark.parametrize(
    ("text", "capitals"), [("Merhaba", "MERHABA"), ("", ""), ("straße ação", "STRASSE AÇÃO"), ("привет 1", "ПРИВЕТ 1")]
)
def test_a_text_gets_capital_letters(text: str, capitals: str) -> None:
    assert result("uppercase", text) == capitals


@relaxed
@given(st.text())
def test_capital_letters_hold_no_small_ones_of_ascii_and_stay_as_they_are(text: str) -> None:
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
def test_whatever_was_sent_comes_back(data: object) -> None:
    assert TYPES["echo"].schema.accepts(data)
    assert ended("echo", data) == Returned(result=json_text.dumps_result(data))
    assert result("echo", data) == data


@pytest.mark.parametrize("text", ["2.0", "2", "[1.0,1e+300,true]", '{"b":1,"a":null}', "null"])
def test_it_comes_back_as_it_was_written(text: str) -> None:
    assert ended("echo", json_text.loads(text)) == Returned(result=text)
