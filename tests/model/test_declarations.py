"""Wrong arguments of `@task`: each is refused with one sentence that names the function and says what to write."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from queue_tool.errors import BadTaskType
from queue_tool.model.retry import Backoff
from queue_tool.model.schema import Schema
from queue_tool.model.task_types import TaskTypes, make_task_type, task
from queue_tool.model.type_options import TypeOptions


def plain(data: object) -> object:
    return data


class Tasks:
    @classmethod
    def of_the_class(cls, data: object) -> object:
        return data

    @staticmethod
    def static(data: object) -> object:
        return data


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


async def later(data: object) -> float:
    return 1


def no_arguments() -> float:
    return 1


def endless() -> Iterator[int]:
    yield from itertools.count()


deep: dict[str, object] = {}
for _ in range(5000):
    deep = {"not": deep}

cyclic: dict[str, object] = {}
cyclic["not"] = cyclic

WRONG: dict[str, tuple[list[object], str]] = {
    "schema": (
        ["string", None, 5, ["type"], Schema(True), {"const": {1}}, deep, cyclic, Unprintable(),
         {"minimum": float("nan")}, {"const": "\ud800"}, {"const": 10**400}],
        "as a dict|write a dict",
    ),
    "timeout": (
        ["60", True, [60], -1, float("nan"), float("inf"), 10**10, Decimal(5), datetime.timedelta(5), 1j],
        "use a number of seconds from 0 to 1000000000, or a function of the data",
    ),
    "max_attempts": ([True, False, 0, -1, 2.0, "3", [3], float("inf")], "use a whole number of at least 1"),
    "backoff": (
        [5, True, "123", b"1", [], {1: 2}, {1, 2}, endless(), ["1"], [None], [True], [-1], Backoff(base="5"),  # type: ignore[arg-type] # a wrong argument
         Backoff(delays=5)],  # type: ignore[arg-type] # a wrong argument
        r"write `Backoff\(base=5, factor=2, cap=600\)`, or a list of seconds",
    ),
    "no_retry": (
        [KeyError, "KeyError", None, 5, ["KeyError"], [KeyError()], [int], endless(), (None,)],
        r"write a list of exception classes, such as \[KeyError\]",
    ),
    "priority": (["", "HIGH", "default", 5, None, ["high"], {"high"}, b"high"], "use high, normal or low"),
    "isolated": (["no", 1, 0, None, "yes", [], "Fresh"], 'use True, False or "fresh"'),
    "description": ([5, b"text", ["text"], True], "write a text in quotes"),
    "schedule": (
        [5, True, ["@daily"], "", "* * *", "@reboot", {}, {5: 1}, {"cron": 5}, {"cron": "@daily", "when": 1},
         {"cron": "@daily", "version": "1"}, {"every": 0}, {"every": Unprintable()}, {"cron": "@daily", "start": "x"}],
        "write a text such as|write five|Use five|The keys are|either cron or every|whole number|every must be|a time",
    ),
}  # fmt: skip


@pytest.mark.parametrize("option", TypeOptions.__annotations__)
def test_a_wrong_value_of_an_option_is_refused(option: Any) -> None:
    values, advice = WRONG[option]
    for value in values:
        wrong: Any = {option: value}
        with pytest.raises(BadTaskType, match=rf"{option}.*({advice}).*\.$") as caught:
            task("a", **wrong)(plain)
        assert caught.value.sentence.startswith(f"The task type 'a' (function {__name__}.plain) has ")
        assert "\n" not in caught.value.sentence
        assert len(caught.value.sentence) < 600


@pytest.mark.parametrize(
    "document", [{"type": 5}, {"type": "strin"}, {"pattern": "("}, {"$ref": "#/no"}, {"minimum": "1"}], ids=str
)
def test_a_schema_that_is_no_json_schema_stops_the_start(document: dict[str, object]) -> None:
    with pytest.raises(BadTaskType, match=r"^The task type 'a' \(function .*plain\): The JSON Schema cannot be used: "):
        TaskTypes([make_task_type("a", plain, schema=document)]).compile()


@pytest.mark.parametrize(("function", "advice"), [(later, "plain function"), (no_arguments, r"write `\(data\)`")])
def test_a_timeout_function_that_cannot_return_seconds_is_refused(function: Any, advice: str) -> None:
    with pytest.raises(BadTaskType, match=advice):
        make_task_type("a", plain, timeout=function)


def test_a_timeout_function_that_does_not_tell_its_parameters_is_accepted() -> None:
    assert make_task_type("a", plain, timeout=int).timeout_of("5", 60) == 5


# -- the name ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "described"),
    [
        (plain, "plain"),
        (later, "later"),
        (Tasks, "Tasks"),
        (vars(Tasks)["static"], "Tasks.static"),
        (vars(Tasks)["of_the_class"], "Tasks.of_the_class"),
        (Tasks().static, "Tasks.static"),
    ],
)
def test_a_declaration_without_a_name_is_refused_with_and_without_parentheses(function: Any, described: str) -> None:
    name = described.rpartition(".")[2]
    sentence = f'The function {__name__}.{described} is declared without a name: write `@task("{name}")` above it.'
    for declare in (lambda: task(function), lambda: task()(function)):
        with pytest.raises(BadTaskType) as caught:
            declare()
        assert caught.value.sentence == sentence


def test_a_declaration_of_a_lambda_without_a_name_says_the_line() -> None:
    with pytest.raises(
        BadTaskType, match=r'<lambda> \(line \d+\) is declared without a name: write `@task\("my_type"\)`'
    ):
        task(lambda data: data)  # type: ignore[arg-type] # a wrong argument


@pytest.mark.parametrize("name", [5, None, b"a", ["a"], True, "a b", ".a", "a" * 65, "\ud800"])
def test_a_name_that_cannot_be_used_is_refused(name: Any) -> None:
    with pytest.raises(BadTaskType, match=r"is not a valid task type name \(function .*plain\): use 1 to 64 letters"):
        task(name)(plain)


def test_an_option_without_its_name_is_refused() -> None:
    wrong: Callable[..., Any] = task
    with pytest.raises(BadTaskType, match=r"function .*plain\) has an option without its name: write each one"):
        wrong("a", {"type": "string"})(plain)


@pytest.mark.parametrize("value", [None, 5, "text", [plain], vars(Tasks)["of_the_class"], property(plain)])
def test_what_cannot_be_called_is_no_function_of_a_task(value: Any) -> None:
    with pytest.raises(
        BadTaskType, match=r"^The task type 'a' \(function .*\) (cannot be called: put|is a class method: use)"
    ):
        task("a")(value)


def test_a_description_that_no_database_stores_is_escaped() -> None:
    assert make_task_type("a", plain, description="bad \udcff").description == r"bad \udcff"
