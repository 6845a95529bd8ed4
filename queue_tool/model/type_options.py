"""The options of a task type: each is checked when the type is declared. A bad one is refused with what to write."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, TypedDict

from queue_tool.errors import BadSchedule
from queue_tool.model import json_text
from queue_tool.model.bounded_text import encodable
from queue_tool.model.queues import Priority
from queue_tool.model.retry import LONGEST_DELAY, Backoff, backoff_of
from queue_tool.model.schema import Schema
from queue_tool.model.task_function import is_async

Timeout = float | Callable[[Any], float]
"""Seconds (0: no limit), or a function that returns the seconds for a task's data."""

FRESH: Literal["fresh"] = "fresh"
"""The value of `isolated` for a type whose runs have a new process each."""

LONGEST_TIMEOUT = 10**9
"""Seconds, about thirty years. Timers of the system have an upper limit, so longer timeouts are refused."""

LONGEST_SHOWN = 100
"""Characters of a value that a message shows."""


def is_timeout(seconds: object) -> bool:
    """Return whether a value is a number of seconds that a task may run."""
    return type(seconds) in (int, float) and 0 <= seconds <= LONGEST_TIMEOUT  # type: ignore[operator] # it is a number


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
        isolated: True runs each task in a process of the worker's pool, which is killed at the deadline; "fresh" runs
            each attempt in a new process.
        description: one sentence for people; by default the first line of the function's docstring.
        schedule: a cron expression such as "*/5 * * * *"; or a dict with the keys of `POST /schedules`, without
            `task_type`, and with a `version`: a lower version never replaces a higher one.
    """

    schema: dict[str, object] | bool
    timeout: Timeout | None
    max_attempts: int | None
    backoff: Backoff | Sequence[float] | None
    no_retry: Iterable[type[BaseException]]
    priority: str
    isolated: bool | Literal["fresh"]
    description: str | None
    schedule: str | Mapping[str, object] | None


class BadOption(ValueError):
    """An option is not valid. The text continues a sentence that begins with the task type."""


def refuse_unknown(options: Collection[str]) -> None:
    """Refuse names that are no options.

    Raises:
        BadOption: there is such a name.
    """
    known = TypeOptions.__annotations__
    unknown = sorted(set(options) - known.keys())
    if unknown:
        raise BadOption(f"has unknown options: {', '.join(unknown)}. The options are {', '.join(known)}")


def schema_of(document: object) -> Schema:
    """Return the schema of an option. Its meaning is checked when the service starts.

    Raises:
        BadOption: it is no JSON object, `True` or `False`.
    """
    if not isinstance(document, (dict, bool)):
        raise BadOption(
            f'has the schema {_shown(document)}: write a JSON Schema as a dict, such as {{"type": "string"}}'
        )
    try:
        json_text.dumps_result(document)
        json_text.dumps(document)  # the routes that show the schema write it so
    except (TypeError, ValueError, RecursionError) as error:
        raise BadOption(f"has a schema that is not JSON ({error}): write a dict of JSON values") from None
    return Schema(document)


def timeout_of(timeout: object) -> Any:
    """Return a timeout.

    Raises:
        BadOption: it is neither a number of seconds nor a plain function of the data.
    """
    wanted = f"use a number of seconds from 0 to {LONGEST_TIMEOUT}, or a function of the data that returns it"
    if timeout is None or is_timeout(timeout):
        return timeout
    if not callable(timeout):
        raise BadOption(f"has the timeout {_shown(timeout)}: {wanted}")
    if is_async(timeout):
        raise BadOption("has an `async def` as its timeout: write a plain function")
    try:
        inspect.signature(timeout, follow_wrapped=False).bind(None)
    except TypeError:
        raise BadOption("has a timeout function that cannot be called with the data alone: write `(data)`") from None
    except ValueError:  # a function of C code, which does not tell its parameters
        pass
    return timeout


def max_attempts_of(most: object) -> int | None:
    """Return a maximum number of attempts.

    Raises:
        BadOption: it is no whole number of at least 1.
    """
    if most is None or (type(most) is int and most >= 1):
        return most
    raise BadOption(f"has max_attempts {_shown(most)}: use a whole number of at least 1")


def backoff(declared: object) -> Backoff:
    """Return a backoff.

    Raises:
        BadOption: it is neither a valid `Backoff` nor a list of at least one number of seconds.
    """
    wanted = f"write `Backoff(base=5, factor=2, cap=600)`, or a list of seconds from 0 to {LONGEST_DELAY}"
    is_list = isinstance(declared, Sequence) and not isinstance(declared, (str, bytes, bytearray)) and len(declared) > 0
    if not (declared is None or isinstance(declared, Backoff) or is_list):
        raise BadOption(f"has an invalid backoff {_shown(declared)}: {wanted}")
    try:
        return backoff_of(declared)  # type: ignore[arg-type] # checked above
    except (TypeError, ValueError) as error:
        raise BadOption(f"has an invalid backoff ({error}): {wanted}") from None


def no_retry(kinds: object) -> tuple[type[BaseException], ...]:
    """Return the errors after which a task is not retried.

    Raises:
        BadOption: it is no list of exception classes.
    """
    if not isinstance(kinds, Collection) or isinstance(kinds, (str, bytes, type)):
        raise BadOption(f"has the no_retry {_shown(kinds)}: write a list of exception classes, such as [KeyError]")
    found = tuple(kinds)
    for kind in found:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise BadOption(
                f"has a value in no_retry that is not an exception class, {_shown(kind)}: "
                "write a list of exception classes, such as [KeyError]"
            )
    return found


def priority(name: object) -> Priority:
    """Return a priority.

    Raises:
        BadOption: it is none.
    """
    if isinstance(name, str) and name in list(Priority):
        return Priority(name)
    raise BadOption(f"has the invalid priority {_shown(name)}: use high, normal or low")


def isolated(answer: object) -> bool | Literal["fresh"]:
    """Return whether a type is isolated.

    Raises:
        BadOption: it is neither `True` nor `False` nor "fresh".
    """
    if isinstance(answer, bool):
        return answer
    if isinstance(answer, str) and answer == FRESH:
        return FRESH
    raise BadOption(f'has isolated {_shown(answer)}: use True, False or "{FRESH}"')


def description(text: object, documented: object) -> str:
    """Return the description of a type; without one, the first line of the docstring of what it documents.

    Raises:
        BadOption: it is no text.
    """
    if text is not None and not isinstance(text, str):
        raise BadOption(f"has the description {_shown(text)}: write a text in quotes")
    return encodable(text or (inspect.getdoc(documented) or "").partition("\n")[0])


def schedule_of(task_type: str, declared: object) -> str | Mapping[str, object] | None:
    """Return a schedule. Its data is checked when the service starts.

    Raises:
        BadOption: it is not valid.
    """
    if declared is None:
        return None
    if not isinstance(declared, (str, Mapping)):
        raise BadOption(f'has the schedule {_shown(declared)}: write a text such as "*/5 * * * *", or a dict')
    from queue_tool.model.schedule_rhythm import body_of, read_rhythm

    try:
        read_rhythm(body_of(task_type, declared)[0])
    except BadSchedule as error:
        raise BadOption(f"has an invalid schedule: {error.sentence.rstrip('.')}") from None
    return declared


def _shown(value: object) -> str:
    """Return a value as a message shows it, in at most `LONGEST_SHOWN` characters."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # noqa: BLE001 - the value is the user's and may raise anything
        text = f"of the class {type(value).__name__}"
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"
