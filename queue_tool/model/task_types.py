"""Task types: each has a function that processes its tasks, and a JSON Schema for their data."""

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
"""Seconds (0: no limit), or a function that returns the seconds for a task's data."""

Function = TypeVar("Function", bound=Callable[..., Any])

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", re.ASCII)


LONGEST_TIMEOUT = 10**9
"""Seconds, about thirty years. Timers of the system have an upper limit, so longer timeouts are refused."""


def is_timeout(seconds: object) -> bool:
    """Return whether a value is a number of seconds that a task may run."""
    return type(seconds) in (int, float) and 0 <= seconds <= LONGEST_TIMEOUT  # type: ignore[operator] # it is a number


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskType:
    """One kind of work."""

    name: str
    function: Callable[..., Any]
    schema: Schema
    lane: Lane
    priority: Priority = Priority.NORMAL
    timeout: Timeout | None = None  # None: the value of the setting
    max_attempts: int | None = None  # None: the value of the setting
    backoff: Backoff = STANDARD
    no_retry: tuple[type[BaseException], ...] = ()  # errors after which the task is not retried
    description: str = ""
    takes_context: bool = False

    @property
    def list(self) -> str:
        """Return the name of the RQ queue for this type's tickets."""
        return self.lane.list_of(self.priority.queue)

    def timeout_of(self, data: object, default: float) -> float | None:
        """Return the seconds that a run with this data may take; None: no limit.

        Args:
            data: the task's data.
            default: the seconds for a type without a timeout of its own; 0: no limit.

        Raises:
            ValueError: the type's timeout function returned no valid number of seconds.
            Exception: any error that this function raises.
        """
        chosen = default if self.timeout is None else self.timeout
        seconds = chosen(data) if callable(chosen) else chosen
        if not is_timeout(seconds):
            raise ValueError(f"{seconds!r} is not a number of seconds from 0 to {LONGEST_TIMEOUT}")
        return seconds or None


class TaskTypes(Mapping[str, TaskType]):
    """The task types that a process knows, by name."""

    def __init__(self, types: Iterable[TaskType] = ()) -> None:
        """Collect the types.

        Raises:
            BadTaskType: two functions declare the same name.
        """
        self._types: dict[str, TaskType] = {}
        for declared in types:
            self.add(declared)

    def add(self, declared: TaskType) -> None:
        """Add a type. A second declaration by the same module and function name replaces the first one.

        Raises:
            BadTaskType: another function already has this name.
        """
        known = self._types.get(declared.name)
        if known is not None and _origin(known.function) != _origin(declared.function):
            raise BadTaskType(
                f"Two functions are declared as the task type {declared.name!r}, {_origin(known.function)} and "
                f"{_origin(declared.function)}: give one of them another name."
            )
        self._types[declared.name] = declared

    def compile(self) -> None:
        """Compile the schema of every type.

        Raises:
            BadTaskType: a schema is not valid.
        """
        for kind in self.values():
            try:
                kind.schema.compile()
            except BadTaskType as error:
                raise BadTaskType(f"The task type {kind.name!r}: {error.sentence}") from None

    def __getitem__(self, name: str) -> TaskType:
        """Return the type with this name."""
        return self._types[name]

    def __contains__(self, name: object) -> bool:
        """Return whether there is a type with this name."""
        return name in self._types

    def __iter__(self) -> Iterator[str]:
        """Return the names, in the order of declaration."""
        return iter(self._types)

    def __len__(self) -> int:
        """Return the number of types."""
        return len(self._types)


declared = TaskTypes()
"""The types that `@task` has declared in this process so far."""


class TypeOptions(TypedDict, total=False):
    """The options of a task type, in addition to its name and its function.

    Keys:
        schema: JSON Schema (2020-12) of the data; by default every value is valid. The service does not start with an
            invalid schema.
        timeout: seconds that a run may take, or a function that returns them for the data; 0: no limit; by default the
            setting `QUEUE_TOOL_TIMEOUT`.
        max_attempts: maximum number of attempts; by default the setting `QUEUE_TOOL_MAX_ATTEMPTS`.
        backoff: wait before the next attempt: a `Backoff`, or a list of seconds.
        no_retry: exception classes after which the task is not retried.
        priority: "high", "normal" (the default) or "low".
        isolated: True runs each task in a separate process, which is killed at the deadline.
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
    """Declare a function as a task type. The function itself is returned unchanged.

    Args:
        name: the name for clients: 1 to 64 letters, digits, `_`, `.` or `-`; the first is a letter, a digit or `_`.
        options: see `TypeOptions`.

    Raises:
        BadTaskType: the name or an option is not valid, or another function already has the name.
    """

    def declare(function: Function) -> Function:
        declared.add(make_task_type(name, function, **options))
        return function

    return declare


def make_task_type(name: str, function: Callable[..., Any], **options: Unpack[TypeOptions]) -> TaskType:
    """Return a task type without declaring it.

    Args:
        name: as for `task`.
        function: the function that processes the tasks.
        options: see `TypeOptions`.

    Raises:
        BadTaskType: an argument is not valid.
    """
    unknown = options.keys() - TypeOptions.__annotations__.keys()
    if unknown:
        raise BadTaskType(f"The task type {name!r} has unknown options: {', '.join(sorted(unknown))}.")
    priority, timeout = options.get("priority", Priority.NORMAL), options.get("timeout")
    max_attempts = options.get("max_attempts")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadTaskType(
            f"{name!r} is not a valid task type name: "
            "use 1 to 64 letters, digits, '_', '.' or '-', and start with a letter, a digit or '_'."
        )
    if priority not in set(Priority):
        raise BadTaskType(f"The task type {name!r} has the invalid priority {priority!r}: use high, normal or low.")
    if max_attempts is not None and (not isinstance(max_attempts, int) or max_attempts < 1):
        raise BadTaskType(
            f"The task type {name!r} has max_attempts {max_attempts!r}: use a whole number of at least 1."
        )
    if timeout is not None and not callable(timeout) and not is_timeout(timeout):
        raise BadTaskType(
            f"The task type {name!r} has the timeout {timeout!r}: use a number of seconds from 0 to {LONGEST_TIMEOUT}."
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
        raise BadTaskType(f"The task type {name!r} has an invalid backoff: {error}.") from None


def _kinds_of_errors(name: str, kinds: Iterable[type[BaseException]]) -> tuple[type[BaseException], ...]:
    found = tuple(kinds)
    if not all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in found):
        raise BadTaskType(f"The task type {name!r} has a value in no_retry that is not an exception class.")
    return found


def _lane_of(function: Callable[..., Any], *, isolated: bool) -> Lane:
    if isolated:
        return Lane.ISOLATED
    return Lane.LOOP if inspect.iscoroutinefunction(function) else Lane.THREADS


def _takes_context(name: str, function: Callable[..., Any]) -> bool:
    wrong = BadTaskType(f"The function of the task type {name!r} must have the parameters (data) or (data, context).")
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
