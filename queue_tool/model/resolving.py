"""Resolving: a client's `on_finished` becomes continuations, which are checked now and run much later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from msgspec import structs

from queue_tool.model.batch import Judge, Refused
from queue_tool.model.continuation import MOST, When
from queue_tool.model.new_task import Continuation
from queue_tool.model.schema import FieldError

NO_UNIQUE_KEY = "A continuation can have no unique_key, because each end of its parent must make a task."


def resolve(value: object, judge: Judge) -> tuple[tuple[Continuation, ...], tuple[FieldError, ...]]:
    """Return the continuations that a value describes, and the reasons if it cannot be accepted.

    Args:
        value: a task request with the additional key `when`, or an array of them; None is no continuation.
        judge: decides whether a task request is accepted.
    """
    if value is None:
        return (), ()
    several = isinstance(value, list)
    requests = value if isinstance(value, list) else [value]
    if len(requests) > MOST:
        return (), (FieldError(path="", message=f"There are {len(requests)} continuations; the limit is {MOST}."),)
    found: list[Continuation] = []
    errors: list[FieldError] = []
    for index, request in enumerate(requests):
        resolved = _resolved(request, index, judge)
        if isinstance(resolved, Continuation):
            found.append(resolved)
        else:
            errors += _under(f"/{index}" if several else "", resolved)
    return tuple(found), tuple(errors)


def under(path: str, errors: tuple[FieldError, ...]) -> tuple[FieldError, ...]:
    """Return errors whose paths begin with another path."""
    return tuple(_under(path, errors))


def _resolved(request: object, index: int, judge: Judge) -> Continuation | tuple[FieldError, ...]:
    if not isinstance(request, dict):
        return (FieldError(path="", message="A continuation must be an object: a task with `when`."),)
    rest = {key: value for key, value in request.items() if key != "when"}
    when = request.get("when") or When.ALWAYS
    if when not in list(When):
        return (FieldError(path="/when", message=f"`when` must be one of {', '.join(When)}."),)
    judged = judge(rest, index, "")
    if isinstance(judged, Refused):
        return judged.errors
    if judged.options.unique_key is not None:
        return (FieldError(path="/unique_key", message=NO_UNIQUE_KEY),)
    delay = rest.get("delay")
    return Continuation(when=When(when), task=structs.replace(judged, index=index), delay=delay)


def _under(path: str, errors: tuple[FieldError, ...]) -> Iterator[FieldError]:
    return (replace(error, path=f"{path}{error.path}") for error in errors)
