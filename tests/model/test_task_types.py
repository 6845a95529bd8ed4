"""Task types: which functions can become one, which cannot, and the options of a type."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queue_tool.errors import BadTaskType
from queue_tool.model.context import Context
from queue_tool.model.queues import Lane, Priority
from queue_tool.model.task_types import TaskTypes, declared, make_task_type, task

relaxed = settings(deadline=None)


def plain(data: object) -> object:
    """Return the data.

    The description of the type is only the first line.
    """
    return data


async def coroutine(data: object) -> object:
    return data


def decorated() -> Callable[[object], object]:
    @functools.wraps(coroutine)
    async def wrapper(data: object) -> object:
        return await coroutine(data)

    return wrapper


@pytest.fixture
def types() -> Iterator[TaskTypes]:
    """The global registry of `@task`; the types that a test declares are removed at its end."""
    before = dict(declared)
    yield declared
    declared._types.clear()
    declared._types.update(before)


# -- declaring ---------------------------------------------------------------------------------------------


def test_declaring_a_function_registers_its_name_and_returns_the_function_unchanged(types: TaskTypes) -> None:
    assert task("words.plain")(plain) is plain
    assert types["words.plain"].function is plain
    assert "words.plain" in types


def test_a_declaration_keeps_its_options(types: TaskTypes) -> None:
    document: dict[str, object] = {"type": "string"}
    task("words.options", schema=document, timeout=60, max_attempts=3, priority="low", description="An example.")(plain)
    kind = types["words.options"]
    assert kind.schema.document == document
    assert (kind.timeout, kind.max_attempts, kind.priority, kind.description) == (60, 3, Priority.LOW, "An example.")


def test_a_declaration_without_options_accepts_any_data_and_uses_the_settings(types: TaskTypes) -> None:
    task("words.bare")(plain)
    bare = types["words.bare"]
    anything: list[object] = [None, 1, "a", [], {}]
    assert all(bare.schema.accepts(value) for value in anything)
    assert (bare.timeout, bare.max_attempts, bare.priority) == (None, None, Priority.NORMAL)
    assert bare.description == "Return the data."
    assert not bare.takes_context


def test_a_bad_declaration_declares_nothing(types: TaskTypes) -> None:
    with pytest.raises(BadTaskType):
        task("words.bad", priority="urgent")(plain)
    assert "words.bad" not in types


# -- lanes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "isolated", "lane"),
    [
        (plain, False, Lane.THREADS),
        (coroutine, False, Lane.LOOP),
        (decorated(), False, Lane.LOOP),
        (functools.partial(coroutine), False, Lane.LOOP),
        (plain, True, Lane.ISOLATED),
        (coroutine, True, Lane.ISOLATED),
    ],
)
def test_the_kind_of_function_decides_the_lane(function: Callable[..., Any], isolated: bool, lane: Lane) -> None:
    assert make_task_type("a", function, isolated=isolated).lane is lane


@pytest.mark.parametrize(
    ("function", "isolated", "priority", "name"),
    [
        (coroutine, False, "high", "high"),
        (coroutine, False, "normal", "default"),
        (plain, False, "normal", "default.threads"),
        (plain, False, "low", "low.threads"),
        (plain, True, "high", "high.isolated"),
    ],
)
def test_the_list_of_a_type_depends_on_priority_and_lane(
    function: Callable[..., Any], isolated: bool, priority: str, name: str
) -> None:
    assert make_task_type("a", function, isolated=isolated, priority=priority).list == name


# -- parameters --------------------------------------------------------------------------------------------


def with_context(data: object, context: Context) -> None: ...


def with_another_name_for_it(data: object, run: Context) -> None: ...


def with_an_optional_context(data: object, context: Context | None = None) -> None: ...


def with_an_option(data: object, factor: int = 2) -> None: ...


def with_more_arguments(data: object, *more: object, **named: object) -> None: ...


def with_an_optional_word(data: object, *, word: str = "") -> None: ...


def with_positional_only(data: object, context: Context, /) -> None: ...


async def coroutine_with_context(data: object, context: Context) -> None: ...


class Holder:
    def method(self, data: object) -> None: ...

    def method_with_context(self, data: object, context: Context) -> None: ...


@pytest.mark.parametrize(
    ("function", "takes_context"),
    [
        (plain, False),
        (with_context, True),
        (with_another_name_for_it, True),
        (with_an_optional_context, True),
        (with_an_option, False),
        (with_more_arguments, False),
        (with_an_optional_word, False),
        (with_positional_only, True),
        (coroutine_with_context, True),
        (Holder().method, False),
        (Holder().method_with_context, True),
    ],
)
def test_a_second_parameter_is_the_context(function: Callable[..., Any], takes_context: bool) -> None:
    assert make_task_type("a", function).takes_context is takes_context


def without_parameters() -> None: ...


def with_any_arguments(*everything: object) -> None: ...


def with_words_only(*, data: object) -> None: ...


def with_three(data: object, context: Context, third: object) -> None: ...


@pytest.mark.parametrize("function", [without_parameters, with_any_arguments, with_words_only, with_three])
def test_a_function_that_cannot_be_called_with_data_is_refused(function: Callable[..., Any]) -> None:
    wanted = rf"{function.__name__}\) must have the parameters \(data\) or \(data, context\), but has \("
    with pytest.raises(BadTaskType, match=wanted):
        make_task_type("a", function)


# -- names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a", "Z", "7", "_", "reverse_text", "image.resize-2", "a" * 64])
def test_a_name_is_made_of_letters_digits_underscores_dots_and_dashes(name: str) -> None:
    assert make_task_type(name, plain).name == name


@pytest.mark.parametrize("name", ["", "a" * 65, "a b", "a/b", "a\n", "ação", "a,b", "٣", "a\0", " a"])
def test_any_other_name_is_refused(name: str) -> None:
    with pytest.raises(BadTaskType) as caught:
        make_task_type(name, plain)
    assert caught.value.sentence.startswith(f"{name!r} is not a valid task type name (function {__name__}.plain): ")


@relaxed
@given(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", fullmatch=True))
def test_every_name_of_this_form_can_be_used(name: str) -> None:
    assert make_task_type(name, plain).name == name


def made_of(*functions: Callable[..., Any]) -> TaskTypes:
    return TaskTypes(make_task_type("same", function) for function in functions)


def test_an_unknown_option_is_refused_with_its_name() -> None:
    misspelled: Any = {"tries": 3, "time_out": 5}
    with pytest.raises(BadTaskType, match=r"has unknown options: time_out, tries\. The options are schema, ti"):
        make_task_type("made", lambda data: data, **misspelled)


def test_two_functions_cannot_share_a_name() -> None:
    with pytest.raises(BadTaskType) as caught:
        made_of(plain, coroutine)
    assert "'same'" in caught.value.sentence
    assert f"{__name__}.plain and {__name__}.coroutine" in caught.value.sentence


def test_the_first_function_of_a_name_stays_if_a_second_is_refused() -> None:
    types = made_of(plain)
    with pytest.raises(BadTaskType):
        types.add(make_task_type("same", coroutine))
    assert types["same"].function is plain


def test_a_function_that_is_declared_again_replaces_itself() -> None:
    first, second = decorated(), decorated()
    types = made_of(first, second)
    assert len(types) == 1
    assert types["same"].function is second


TWO = {
    "one name": "def same(data): ...\nfirst = same\ndef same(data, context): ...\nsecond = same\n",
    "lambdas": "first, second = (lambda data: 1), (lambda data: 2)\n",
    "wrappers": """
import functools
def deco(function):
    @functools.wraps(function)
    def wrapper(data): return function(data)
    return wrapper
@deco
def same(data): ...
first = same
@deco
def same(data): ...
second = same
""",
}


@pytest.mark.parametrize("text", TWO.values(), ids=TWO)
def test_two_functions_of_one_name_in_one_module_cannot_share_a_type(text: str) -> None:
    module: dict[str, Any] = {"__name__": "users", "__file__": "users.py", "__spec__": object()}
    code = compile(text, "users.py", "exec")
    exec(code, module)  # noqa: S102 - our own text
    with pytest.raises(BadTaskType, match=r"^Two functions .* 'same', users\.\S+ \(line \d+\) and users\.\S+ \(line"):
        made_of(module["first"], module["second"])
    again = dict(module, __spec__=object())
    exec(compile(text.replace("first", "second"), "users.py", "exec"), again)  # noqa: S102 - as after an edit
    assert made_of(module["second"], again["second"])["same"].function is again["second"]
    del module["__file__"]  # as at a prompt
    made_of(module["first"], module["second"])


def test_one_function_may_have_two_names() -> None:
    types = TaskTypes([make_task_type("one", plain), make_task_type("two", plain)])
    assert list(types) == ["one", "two"]
    assert dict(types).keys() == {"one", "two"}
    assert len(types) == 2


def test_an_unknown_name_is_not_found() -> None:
    assert TaskTypes().get("a") is None
    with pytest.raises(KeyError):
        TaskTypes()["a"]


# -- other bad arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize("schema", [{"type": "strin"}, {"pattern": "("}, {"$ref": "#/nowhere"}], ids=str)
def test_a_bad_schema_is_refused_in_a_sentence_that_names_the_type(schema: dict[str, object]) -> None:
    with pytest.raises(BadTaskType, match=r"^The task type 'a' \(function .*plain\): The JSON Schema cannot be used"):
        TaskTypes([make_task_type("a", plain, schema=schema)]).compile()


@pytest.mark.parametrize("priority", ["", "HIGH", "default", "urgent"])
def test_a_bad_priority_is_refused(priority: str) -> None:
    with pytest.raises(BadTaskType, match="use high, normal or low"):
        make_task_type("a", plain, priority=priority)


@pytest.mark.parametrize("max_attempts", [0, -1])
def test_fewer_than_one_attempt_is_refused(max_attempts: int) -> None:
    with pytest.raises(BadTaskType, match="at least 1"):
        make_task_type("a", plain, max_attempts=max_attempts)


@pytest.mark.parametrize("timeout", [-1, -0.001, float("-inf"), float("nan"), float("inf"), 10**10, True, "60"])
def test_a_timeout_that_is_not_a_usable_number_of_seconds_is_refused(timeout: Any) -> None:
    with pytest.raises(BadTaskType, match="use a number of seconds from 0 to"):
        make_task_type("a", plain, timeout=timeout)


@pytest.mark.parametrize("seconds", [-1, float("nan"), 1e14, "10", None])
def test_a_timeout_that_a_function_returns_is_checked_too(seconds: Any) -> None:
    with pytest.raises(ValueError, match="not a number of seconds"):
        make_task_type("a", plain, timeout=lambda data: seconds).timeout_of({}, 60)


# -- timeouts ----------------------------------------------------------------------------------------------


def a_minute_more(data: Any) -> float:
    return float(data["seconds"]) + 60


def no_limit(data: Any) -> float:
    return 0.0


@pytest.mark.parametrize(
    ("timeout", "default", "seconds"),
    [
        (None, 3600.0, 3600.0),
        (None, 0.0, None),
        (5, 3600.0, 5),
        (0, 3600.0, None),
        (a_minute_more, 3600.0, 70),
        (no_limit, 3600.0, None),
    ],
    ids=["default", "no default", "own", "none", "of the data", "none of the data"],
)
def test_a_timeout_is_that_of_the_type_or_the_default_and_0_is_no_limit(
    timeout: Any, default: float, seconds: float | None
) -> None:
    assert make_task_type("a", plain, timeout=timeout).timeout_of({"seconds": 10}, default) == seconds
