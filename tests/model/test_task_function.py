"""The function of a task type: what counts is the callable that is really called, with its own parameters."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

import pytest

from queue_tool import Context
from queue_tool.errors import BadTaskType
from queue_tool.model.queues import Lane
from queue_tool.model.task_types import declared, make_task_type, task

TWICE = "called"


def plain(data: object) -> object:
    return data


def with_context(data: object, context: Context) -> object:
    return context


async def later(data: object) -> object:
    return data


async def later_with_context(data: object, run: Context) -> object:
    return run


def passing_on(function: Callable[..., Any]) -> Any:
    @functools.wraps(function)
    def wrapper(*args: object, **kwargs: object) -> object:
        return function(*args, **kwargs)

    return wrapper


def passing_on_more(function: Callable[..., Any]) -> Any:
    @functools.wraps(function)
    def wrapper(data: object, *args: object) -> object:
        return function(data, *args)

    return wrapper


def fixed(function: Callable[..., Any]) -> Any:
    @functools.wraps(function)
    def wrapper(data: object) -> object:
        return function(TWICE, data)

    return wrapper


def fixed_with_context(function: Callable[..., Any]) -> Any:
    @functools.wraps(function)
    def wrapper(data: object, context: Context) -> object:
        return function(data)

    return wrapper


def with_connection(connection: object, data: object) -> object:
    return [connection, data]


def with_a_needed_word(data: object, *, word: str) -> None: ...


def values(data: object) -> Iterator[object]:
    yield data


async def values_later(data: object) -> AsyncIterator[object]:
    yield data


@types.coroutine
def old_coroutine(data: object) -> Generator[Any, Any, object]:
    yield
    return data


def wraps_itself(*args: object) -> None: ...


wraps_itself.__wrapped__ = wraps_itself  # type: ignore[attr-defined] # as `functools.wraps` does


def with_a_written_signature(*args: object) -> None: ...


with_a_written_signature.__signature__ = inspect.signature(with_context)  # type: ignore[attr-defined] # inspect reads it


class Decorator:
    """A decorator that is a class."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)

    def __call__(self, *args: object) -> object: ...


class Callables:
    def __call__(self, data: object) -> object: ...

    def method(self, data: object) -> object: ...

    def wrapped(self, *args: object) -> object: ...

    def other_name(this, data: object) -> object: ...  # noqa: N805 - that is what is tested

    def named(data: object, run: Context) -> object: ...  # noqa: N805 - a class that only groups functions

    def generator(self, data: object) -> Iterator[object]:
        yield data

    @classmethod
    def of_the_class(cls, data: object) -> object: ...

    @staticmethod
    def static(data: object, run: object) -> object: ...

    @staticmethod
    async def static_later(data: object) -> object: ...


Callables.wrapped.__wrapped__ = Callables.method  # type: ignore[attr-defined] # as `functools.wraps` does


class Later:
    async def __call__(self, data: object, context: Context) -> object: ...


class Generates:
    def __call__(self, data: object) -> Iterator[object]:
        yield data


class Job:
    """A class whose objects are awaited."""

    def __init__(self, data: object) -> None: ...

    def __await__(self) -> Generator[Any, Any, None]:
        yield


class Thing:
    def __init__(self, data: object) -> None: ...


@pytest.mark.parametrize(
    ("function", "lane", "takes_context"),
    [
        (passing_on(plain), Lane.THREADS, False),
        (passing_on(with_context), Lane.THREADS, True),
        (passing_on(passing_on(with_context)), Lane.THREADS, True),
        (passing_on(later_with_context), Lane.THREADS, True),
        (passing_on(fixed(with_connection)), Lane.THREADS, False),
        (passing_on_more(plain), Lane.THREADS, False),
        (passing_on_more(with_context), Lane.THREADS, True),
        (fixed(with_connection), Lane.THREADS, False),
        (fixed_with_context(plain), Lane.THREADS, True),
        (functools.partial(with_connection, "db"), Lane.THREADS, False),
        (functools.partial(passing_on(with_connection), "db"), Lane.THREADS, False),
        (functools.partial(later), Lane.LOOP, False),
        (functools.partial(functools.partial(later_with_context), run=None), Lane.LOOP, False),
        (functools.partial(Later()), Lane.LOOP, True),
        (functools.lru_cache(plain), Lane.THREADS, False),
        (with_a_written_signature, Lane.THREADS, True),
        (Decorator(with_context), Lane.THREADS, True),
        (Callables(), Lane.THREADS, False),
        (Callables().method, Lane.THREADS, False),
        (Callables().wrapped, Lane.THREADS, False),
        (Callables().of_the_class, Lane.THREADS, False),
        (Callables.of_the_class, Lane.THREADS, False),
        (Callables.named, Lane.THREADS, True),
        (functools.partial(Callables.method, Callables()), Lane.THREADS, False),
        (vars(Callables)["static"], Lane.THREADS, True),
        (vars(Callables)["static_later"], Lane.LOOP, False),
        (Callables.static_later, Lane.LOOP, False),
        (Later(), Lane.LOOP, True),
        (Later().__call__, Lane.LOOP, True),
        (old_coroutine, Lane.LOOP, False),
        (Job, Lane.LOOP, False),
        (list, Lane.THREADS, False),
        (len, Lane.THREADS, False),
        (lambda data: data, Lane.THREADS, False),
    ],
)
def test_the_callable_that_is_called_decides_lane_and_context(function: Any, lane: Lane, takes_context: bool) -> None:
    made = make_task_type("a", function)
    assert (made.lane, made.takes_context) == (lane, takes_context)
    assert make_task_type("a", function, isolated=True).lane is Lane.ISOLATED


HAS_SELF = "has `self` as its first parameter, which would get the data: move it out of its class, or use @staticmethod"
HAS_CLS = HAS_SELF.replace("self", "cls")


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (Callables.method, HAS_SELF),
        (passing_on(Callables.method), HAS_SELF),
        (passing_on(Callables.wrapped), HAS_SELF),
        (Callables.other_name, "would get the context as `data`: write the parameters (data) or (data, context)."),
        (vars(Callables)["of_the_class"], "is a class method: use @staticmethod, or move the function out of"),
        (vars(Callables)["of_the_class"].__func__, HAS_CLS),
        (passing_on(with_connection), "would get the context as `data`: write the parameters (data) or (data, context)"
         " for the wrapper too, instead of `*args`."),
        (passing_on(with_a_needed_word), "but has (data, *, word)."),
        (functools.partial(with_a_needed_word, word="x"), None),
        (with_a_needed_word, "must have the parameters (data) or (data, context), but has (data, *, word)."),
        (functools.partial(plain, data=1), "but has (*, data)."),
        (functools.partial(plain, 1), "but has ()."),
        (lambda *data: data, "but has (*data): write them, or use functools.wraps in its decorator."),
        (lambda **data: data, "but has (**data)."),
        (lambda: 1, "but has ()."),
        (wraps_itself, "but has (*args): write them, or use functools.wraps in its decorator."),
        (dict, "has unknown parameters: write a function with the parameters (data) or (data, context)."),
        (print, "but has (*args, sep, end, file, flush): write them, or"),
        (max, "has unknown parameters: write a function with"),
        (Thing, "is a class, and its objects are not JSON: put @task above a function that returns a result."),
        (ValueError, "is a class, and its objects are not JSON"),
        (values, "is a generator: return all values at once, for example in a list."),
        (values_later, "is a generator"),
        (functools.partial(values), "is a generator"),
        (Generates(), "is a generator"),
        (Callables().generator, "is a generator"),
        (staticmethod(values), "is a generator"),
        (functools.partialmethod(plain), "cannot be called: put @task above a function."),
    ],
)  # fmt: skip
def test_a_callable_that_would_fail_is_refused_with_one_sentence(function: Any, wanted: str | None) -> None:
    if wanted is None:
        assert not make_task_type("a", function).takes_context
        return
    with pytest.raises(BadTaskType) as caught:
        make_task_type("a", function)
    assert caught.value.sentence.startswith("The task type 'a' (function ")
    assert wanted in caught.value.sentence
    assert caught.value.sentence.count("\n") == 0


def test_a_static_method_keeps_working_in_its_class_above_and_below() -> None:
    before = dict(declared)
    try:

        class Tasks:
            @task("static.above")
            @staticmethod
            def above(data: object) -> object:
                """Say it."""
                return [data]

            @staticmethod
            @task("static.below")
            async def below(data: object) -> object:
                return [data]

        assert Tasks.above(1) == Tasks().above(1) == declared["static.above"].function(1) == [1]
        assert declared["static.above"].function is Tasks.above
        assert declared["static.above"].description == "Say it."
        assert declared["static.below"].lane is Lane.LOOP
    finally:
        declared._types.clear()
        declared._types.update(before)


def test_the_description_of_a_partial_is_that_of_its_function() -> None:
    assert make_task_type("a", functools.partial(Callables().method)).description == ""
    assert make_task_type("a", functools.partial(described_function)).description == "Do it."


def described_function(data: object) -> None:
    """Do it."""
