"""Task types: each has a function that processes its tasks, and a JSON Schema for their data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Never, TypeVar, Unpack

from queue_tool.errors import BadTaskType
from queue_tool.model import task_function, type_options
from queue_tool.model.origin import Origin
from queue_tool.model.queues import Lane, Priority
from queue_tool.model.retry import STANDARD, Backoff
from queue_tool.model.schema import Schema
from queue_tool.model.task_function import BadFunction
from queue_tool.model.type_options import FRESH, LONGEST_TIMEOUT, BadOption, Timeout, TypeOptions, is_timeout

Function = TypeVar("Function", bound=Callable[..., Any])

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", re.ASCII)


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
    fresh: bool = False  # each isolated run has a new process
    schedule: str | Mapping[str, object] | None = None  # see `TypeOptions`

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
        if not callable(chosen):  # it was checked when the type was declared, or when the settings were read
            return chosen or None
        seconds = chosen(data)
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
        self._origins: dict[str, Origin] = {}
        for declared in types:
            self.add(declared)

    def add(self, declared: TaskType) -> None:
        """Add a type. A second declaration by the same function replaces the first one, if its module is loaded again.

        A function inside of another one is declared again at each call of that one.

        Raises:
            BadTaskType: another function already has this name.
        """
        known, origin = self._types.get(declared.name), Origin.of(declared.function)
        if known is not None and known.function is not declared.function:
            before = self._origins[declared.name]
            if not origin.replaces(before):
                raise BadTaskType(
                    f"Two functions are declared as the task type {declared.name!r}, {before.place_beside(origin)} and "
                    f"{origin.place_beside(before)}: give one of them another name."
                )
        self._types[declared.name], self._origins[declared.name] = declared, origin

    def compile(self) -> None:
        """Compile the schema of every type.

        Raises:
            BadTaskType: a schema is not valid.
        """
        for kind in self.values():
            try:
                kind.schema.compile()
            except BadTaskType as error:
                raise BadTaskType(f"{_subject(kind.name, kind.function)}: {error.sentence}") from None

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


def task(name: str = "", *misplaced: Never, **options: Unpack[TypeOptions]) -> Callable[[Function], Function]:
    """Declare a function as a task type. The function itself is returned unchanged.

    Args:
        name: the name for clients: 1 to 64 letters, digits, `_`, `.` or `-`; the first is a letter, a digit or `_`.
        misplaced: nothing: the options have names.
        options: see `TypeOptions`.

    Raises:
        BadTaskType: the name or an option is not valid, the function cannot be a task's function, or another function
            already has the name.
    """
    if callable(name) or hasattr(type(name), "__get__"):  # `@task` without parentheses: `name` is the function
        raise BadTaskType(_without_a_name(name))

    def declare(function: Function) -> Function:
        if name == "":
            raise BadTaskType(_without_a_name(function))
        if misplaced:
            raise BadTaskType(
                f"{_subject(name, function)} has an option without its name: "
                "write each one with its name, such as timeout=60."
            )
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
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadTaskType(
            f"{name!r} is not a valid task type name (function {task_function.described(function)}): "
            "use 1 to 64 letters, digits, '_', '.' or '-', and start with a letter, a digit or '_'."
        )
    try:
        type_options.refuse_unknown(options.keys())
        called = task_function.plain_of(function)
        isolated = type_options.isolated(options.get("isolated", False))
        return TaskType(
            name=name,
            function=called,
            schema=type_options.schema_of(options.get("schema", True)),
            lane=_lane_of(called, isolated=bool(isolated)),
            priority=type_options.priority(options.get("priority", Priority.NORMAL)),
            timeout=type_options.timeout_of(options.get("timeout")),
            max_attempts=type_options.max_attempts_of(options.get("max_attempts")),
            backoff=type_options.backoff(options.get("backoff")),
            no_retry=type_options.no_retry(options.get("no_retry", ())),
            description=type_options.description(options.get("description"), task_function.documented(called)),
            takes_context=task_function.takes_context(called, static=called is not function),
            fresh=isolated == FRESH,
            schedule=type_options.schedule_of(name, options.get("schedule")),
        )
    except (BadFunction, BadOption) as error:
        raise BadTaskType(f"{_subject(name, function)} {error}.") from None


def _lane_of(function: Callable[..., Any], *, isolated: bool) -> Lane:
    if isolated:
        return Lane.ISOLATED
    return Lane.LOOP if task_function.is_async(function) else Lane.THREADS


def _subject(name: str, function: object) -> str:
    """Return the beginning of a sentence about a task type."""
    return f"The task type {name!r} (function {task_function.described(function)})"


def _without_a_name(function: object) -> str:
    described = task_function.described(function)
    suggested = described.partition(" ")[0].rpartition(".")[2]
    name = suggested if _NAME.fullmatch(suggested) and not suggested.startswith("_") else "my_type"
    return f'The function {described} is declared without a name: write `@task("{name}")` above it.'
