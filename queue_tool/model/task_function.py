"""The function of a task type: which callables can be one, how they are called, and whether they return an awaitable.

What counts is the callable that is really called. A wrapper counts with its own parameters, even if `functools.wraps`
lends it those of another function. Only a wrapper with `*args` counts with the parameters of the function it wraps.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from types import FunctionType, MethodType
from typing import Any

RESULTS = (dict, list, tuple, str, int, float)
"""Classes whose instances can be results. Another class returns an object that is not JSON."""

MOST_WRAPPERS = 100
"""Wrappers around one function that are read: a wrapper could name itself as what it wraps."""

PARAMETERS = "(data) or (data, context)"


class BadFunction(ValueError):
    """The callable cannot be a task's function. The text continues a sentence that begins with its name."""


def plain_of(function: object) -> Any:
    """Return what is called for a declared object: the function of a static method, or the object itself.

    Raises:
        BadFunction: the object cannot be called, or a call would not do what its author expects.
    """
    called = function.__func__ if isinstance(function, staticmethod) else function
    if isinstance(called, classmethod):
        raise BadFunction("is a class method: use @staticmethod, or move the function out of its class")
    if not callable(called):
        raise BadFunction("cannot be called: put @task above a function")
    if isinstance(called, type) and not issubclass(called, RESULTS) and not hasattr(called, "__await__"):
        raise BadFunction("is a class, and its objects are not JSON: put @task above a function that returns a result")
    if any(map(_is_generator, _layers(called))):
        raise BadFunction("is a generator: return all values at once, for example in a list")
    return called


def is_async(function: Callable[..., Any]) -> bool:
    """Return whether a call certainly returns an awaitable."""
    if isinstance(function, type):
        return hasattr(function, "__await__")
    return any(inspect.iscoroutinefunction(layer) or _is_old_coroutine(layer) for layer in _layers(function))


def takes_context(function: Callable[..., Any], *, static: bool = False) -> bool:
    """Return whether the function takes the context after the data.

    Args:
        function: what is called.
        static: whether it was declared as a static method, so its first parameter is no object of a class.

    Raises:
        BadFunction: it cannot be called with the data, or with data and context.
    """
    signature, guessed = _called_with(function)
    positional = [parameter for parameter in signature.parameters.values() if _is_positional(parameter)]
    if positional and positional[0].name in ("self", "cls"):
        raise BadFunction(
            f"has `{positional[0].name}` as its first parameter, which would get the data: move it out of its class, "
            f"or use @staticmethod, and write the parameters {PARAMETERS}"
        )
    needed = [parameter for parameter in positional if parameter.default is parameter.empty]
    if not positional or _needs_a_keyword(signature) or len(needed) > len(("data", "context")):
        advice = (
            "" if positional or not _passes_on(signature) else ": write them, or use functools.wraps in its decorator"
        )
        raise BadFunction(f"must have the parameters {PARAMETERS}, but has {_written(signature)}{advice}")
    second = positional[1] if len(positional) > 1 else None
    if second is None:
        return False
    if second in needed and (guessed or (_is_in_a_class(function) and not static)) and not _is_context(second):
        raise BadFunction(
            f"would get the context as `{second.name}`: write the parameters {PARAMETERS}"
            + (" for the wrapper too, instead of `*args`" if guessed else "")
        )
    return second in needed or second.name == "context"


def described(function: object) -> str:
    """Return the module and the name of the function that a callable calls in the end."""
    inner: Any = next((layer for layer in _layers(function) if hasattr(layer, "__qualname__")), type(function))
    line = f" (line {inner.__code__.co_firstlineno})" if inner.__qualname__.endswith("<lambda>") else ""
    return f"{getattr(inner, '__module__', None) or 'builtins'}.{inner.__qualname__}{line}"


def documented(function: object) -> object:
    """Return what has the docstring of a callable: the function of a partial, or the callable itself."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _layers(function: object) -> Iterator[Any]:
    """Yield a callable and what it calls: the function of a partial, a method, or an object with `__call__`."""
    while True:
        yield function
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, (MethodType, staticmethod, classmethod)):
            function = function.__func__
        elif isinstance(function, (FunctionType, type)) or not isinstance(
            _call_of(function), (FunctionType, staticmethod)
        ):
            return
        else:
            function = _call_of(function)


def _call_of(function: object) -> object:
    return inspect.getattr_static(type(function), "__call__", None)


def _is_old_coroutine(function: object) -> bool:
    """Return whether `types.coroutine` has made a coroutine function of this generator function."""
    code = getattr(function, "__code__", None)
    return bool(getattr(code, "co_flags", 0) & inspect.CO_ITERABLE_COROUTINE)


def _is_generator(function: object) -> bool:
    if inspect.isasyncgenfunction(function):
        return True
    return inspect.isgeneratorfunction(function) and not _is_old_coroutine(function)


def _called_with(function: Callable[..., Any]) -> tuple[inspect.Signature, bool]:
    """Return the parameters that count, and whether a wrapper with `*args` leaves them to the function it wraps."""
    signature, guessed = _own_signature(function), False
    for _ in range(MOST_WRAPPERS):
        inner = _wrapped_by(function)
        if inner is None or (signature and (not _passes_on(signature) or _needs_a_keyword(signature))):
            break
        signature, guessed, function = _own_signature(inner), True, inner
    if signature is None:
        raise BadFunction(f"has unknown parameters: write a function with the parameters {PARAMETERS}")
    return signature, guessed


def _own_signature(function: Callable[..., Any]) -> inspect.Signature | None:
    """Return the parameters of a callable itself; None if it does not tell them, such as some written in C."""
    try:
        return inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        return None


def _passes_on(signature: inspect.Signature) -> bool:
    parameters = signature.parameters.values()
    return any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters) and (
        sum(map(_is_positional, parameters)) < len(("data", "context"))
    )


def _wrapped_by(function: Any) -> Any:
    """Return the function that a wrapper wraps, with the arguments that a partial or a method adds to it."""
    if isinstance(function, functools.partial):
        inner = _wrapped_by(function.func)
        return inner and functools.partial(inner, *function.args, **function.keywords)
    inner = getattr(function, "__wrapped__", None)
    if inner is not None and isinstance(function, MethodType):
        return MethodType(inner, function.__self__)
    return inner


def _is_positional(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)


def _needs_a_keyword(signature: inspect.Signature) -> bool:
    return any(
        parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty
        for parameter in signature.parameters.values()
    )


def _is_in_a_class(function: object) -> bool:
    """Return whether a plain function is written in the body of a class."""
    around = getattr(function, "__qualname__", "").rpartition(".")[0]
    return isinstance(function, FunctionType) and bool(around) and not around.endswith("<locals>")


def _is_context(parameter: inspect.Parameter) -> bool:
    return parameter.name == "context" or "Context" in str(parameter.annotation)


def _written(signature: inspect.Signature) -> str:
    """Return the parameters as text, without annotations and defaults, which may be long."""
    names = [
        parameter.replace(annotation=parameter.empty, default=parameter.empty)
        for parameter in signature.parameters.values()
    ]
    return str(inspect.Signature(names))
