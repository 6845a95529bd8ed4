"""Task types: which function does a task, and which JSON Schema its data must satisfy."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, TypeVar, Unpack

from queue_tool.errors import BadTaskType
from queue_tool.model.queues import Lane, Priority
from queue_tool.model.retry import STANDARD, Backoff, backoff_of
from queue_tool.model.schema import Schema

Timeout = float | Callable[[Any], float]
"""Seconds (0: no limit), or a function of the task's data that returns them."""

Function = TypeVar("Function", bound=Callable[..., Any])

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", re.ASCII)


LONGEST_TIMEOUT = 10**9
"""Seconds, about thirty years: what goes beyond is no time that a system can wait."""


def is_timeout(seconds: object) -> bool:
    """Tell whether something is a number of seconds that a task may take."""
    return type(seconds) in (int, float) and 0 <= seconds <= LONGEST_TIMEOUT  # type: ignore[operator] # a number, by its type


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskType:
    """One kind of work."""

    name: str
    function: Callable[..., Any]
    schema: Schema
    lane: Lane
    priority: Priority = Priority.NORMAL
    timeout: Timeout | None = None  # None: the setting's
    max_attempts: int | None = None  # None: the setting's
    backoff: Backoff = STANDARD
    no_retry: tuple[type[BaseException], ...] = ()  # errors after which no other attempt is made
    description: str = ""
    takes_context: bool = False

    @property
    def list(self) -> str:
        """Return the name of the RQ queue in which this type's tickets wait."""
        return self.lane.list_of(self.priority.queue)

    def timeout_of(self, data: object, default: float) -> float | None:
        """Return the seconds that a run with this data may take; None is no limit.

        Raises:
            ValueError: the type's own function returned something else than a number of seconds.
            Exception: whatever that function raises.
        """
        chosen = default if self.timeout is None else self.timeout
        seconds = chosen(data) if callable(chosen) else chosen
        if not is_timeout(seconds):
            raise ValueError(f"{seconds!r} is no number of seconds from 0 to {LONGEST_TIMEOUT}")
        return seconds or None


class TaskTypes(Mapping[str, TaskType]):
    """The task types that a process knows, by name."""

    def __init__(self, types: Iterable[TaskType] = ()) -> None:
        """Collect types.

        Raises:
            BadTaskType: two of them share a name.
        """
        self._types: dict[str, TaskType] = {}
        for declared in types:
            self.add(declared)

    def add(self, declared: TaskType) -> None:
        """Add a type; one that is declared again from the same place replaces the one before.

        Raises:
            BadTaskType: another function has this name already.
        """
        known = self._types.get(declared.name)
        if known is not None and _origin(known.function) != _origin(declared.function):
            raise BadTaskType(
                f"Two functions are declared as the task type {declared.name!r}, {_origin(known.function)} and "
                f"{_origin(declared.function)}: give one of them another name."
            )
        self._types[declared.name] = declared

    def compile(self) -> None:
        """Make every type's schema ready to judge.

        Raises:
            BadTaskType: one of them cannot be used.
        """
        for kind in self.values():
            try:
                kind.schema.compile()
            except BadTaskType as error:
                raise BadTaskType(f"The task type {kind.name!r}: {error.sentence}") from None

    def __getitem__(self, name: str) -> TaskType:
        """Return the type of this name."""
        return self._types[name]

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a type of this name."""
        return name in self._types

    def __iter__(self) -> Iterator[str]:
        """Return the names, in the order of declaration."""
        return iter(self._types)

    def __len__(self) -> int:
        """Return how many types there are."""
        return len(self._types)


declared = TaskTypes()
"""What `@task` has declared in this process so far."""


class TypeOptions(TypedDict, total=False):
    """What may be said of a task type beside its name and its function.

    Keys:
        schema: JSON Schema (2020-12) of the data; by default anything goes. One that cannot be used stops the start.
        timeout: seconds that a run may take, or a function of the data that returns them; 0 is no limit; by default as
            the setting says.
        max_attempts: how often it is tried; by default as the setting says.
        backoff: how long it waits before the next attempt: a `Backoff`, or a list of seconds.
        no_retry: kinds of errors after which it is not tried again.
        priority: "high", "normal" (the default) or "low".
        isolated: True runs it in a process of its own, which is killed at the deadline.
        description: one sentence for people; by default the first line of the function's docstring.
    """

    schema: dict[str, object] | bool
    timeout: Timeout | None
    max_attempts: int | None
    backoff: Backoff | Sequence[float] | None
    no_retry: Iterable[type[BaseException]]
    priority: str
    isolated: bool
    description: str | None


def task(name: str, **options: Unpack[TypeOptions]) -> Callable[[Function], Function]:
    """Declare a function as a task type; the function itself stays as it is.

    Args:
        name: what clients call it: 1 to 64 letters, digits, `_`, `.` or `-`.
        options: as `TypeOptions` says.

    Raises:
        BadTaskType: one of these cannot be used, or the name is taken.
    """

    def declare(function: Function) -> Function:
        declared.add(make_task_type(name, function, **options))
        return function

    return declare


def make_task_type(name: str, function: Callable[..., Any], **options: Unpack[TypeOptions]) -> TaskType:
    """Return a task type without declaring it; the arguments are those of `task`.

    Raises:
        BadTaskType: one of the arguments cannot be used.
    """
    unknown = options.keys() - TypeOptions.__annotations__.keys()
    if unknown:
        raise BadTaskType(f"The task type {name!r} has an option that does not exist: {', '.join(sorted(unknown))}.")
    priority, timeout = options.get("priority", Priority.NORMAL), options.get("timeout")
    max_attempts = options.get("max_attempts")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadTaskType(
            f"{name!r} cannot name a task type: use 1 to 64 letters, digits, '_', '.' or '-', no dot or dash first."
        )
    if priority not in set(Priority):
        raise BadTaskType(f"The task type {name!r} has the priority {priority!r}: use high, normal or low.")
    if max_attempts is not None and (not isinstance(max_attempts, int) or max_attempts < 1):
        raise BadTaskType(
            f"The task type {name!r} has max_attempts {max_attempts!r}: it must be a whole number of at least 1."
        )
    if timeout is not None and not callable(timeout) and not is_timeout(timeout):
        raise BadTaskType(
            f"The task type {name!r} has the timeout {timeout!r}: it must be seconds from 0 to {LONGEST_TIMEOUT}."
        )
    return TaskType(
        name=name,
        function=function,
        schema=Schema(options.get("schema", True)),
        lane=_lane_of(function, isolated=options.get("isolated", False)),
        priority=Priority(priority),
        timeout=timeout,
        max_attempts=max_attempts,
        backoff=_backoff(name, options.get("backoff")),
        no_retry=_kinds_of_errors(name, options.get("no_retry", ())),
        description=options.get("description") or (inspect.getdoc(function) or "").partition("\n")[0],
        takes_context=_takes_context(name, function),
    )


def _backoff(name: str, declared_backoff: Backoff | Sequence[float] | None) -> Backoff:
    try:
        return backoff_of(declared_backoff)
    except (TypeError, ValueError) as error:
        raise BadTaskType(f"The task type {name!r} has a backoff that cannot be used: {error}.") from None


def _kinds_of_errors(name: str, kinds: Iterable[type[BaseException]]) -> tuple[type[BaseException], ...]:
    found = tuple(kinds)
    if not all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in found):
        raise BadTaskType(f"The task type {name!r} has something in no_retry that is no kind of error.")
    return found


def _lane_of(function: Callable[..., Any], *, isolated: bool) -> Lane:
    if isolated:
        return Lane.ISOLATED
    return Lane.LOOP if inspect.iscoroutinefunction(function) else Lane.THREADS


def _takes_context(name: str, function: Callable[..., Any]) -> bool:
    wrong = BadTaskType(f"The function of the task type {name!r} must take (data) or (data, context).")
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        raise wrong from None
    positional = [
        parameter
        for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    needed = [parameter for parameter in positional if parameter.default is parameter.empty]
    keywords = [
        parameter
        for parameter in parameters
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty
    ]
    if not positional or keywords or len(needed) > len(("data", "context")):
        raise wrong
    return any(parameter in needed or parameter.name == "context" for parameter in positional[1:2])


def _origin(function: Callable[..., Any]) -> str:
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', repr(function))}"
