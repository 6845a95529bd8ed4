"""Options that many commands have, and the values that people write: durations, moments and labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any

import click

from queue_tool.errors import MalformedJson
from queue_tool.model import json_text
from queue_tool.model.payloads.filters import FailedFilters, Filters
from queue_tool.model.payloads.queries import Paging
from queue_tool.model.queues import Priority
from queue_tool.model.states import Code, State
from queue_tool.model.times import read_time

Function = Callable[..., Any]

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)([smhd]?)", re.ASCII)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(text: str) -> float:
    """Return the seconds of a number with a unit: 90, 30m, 2h or 7d.

    Raises:
        click.BadParameter: the text is no such number.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is not a duration such as 90, 30m, 2h or 7d.")
    return float(found[1]) * _SECONDS[found[2]]


def time(text: str) -> datetime:
    """Return a time (RFC 3339), or the time so long before now.

    Raises:
        click.BadParameter: the text is neither a time nor a duration.
    """
    if _DURATION.fullmatch(text):
        return datetime.now(UTC) - timedelta(seconds=duration(text))
    try:
        return read_time(text)
    except ValueError as error:
        raise click.BadParameter(f"{str(error).rstrip('.')}, nor a duration such as 30m, 2h or 7d.") from None


def json(text: str) -> object:
    """Return the value of a JSON text.

    Raises:
        click.BadParameter: the text is no JSON.
    """
    try:
        return json_text.loads(text)
    except MalformedJson as error:
        raise click.BadParameter(error.sentence.replace("The body", "The text", 1)) from None


def instant(text: str) -> str:
    """Return a time (RFC 3339) as it is.

    Raises:
        click.BadParameter: the text is no time.
    """
    try:
        read_time(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return text


def pair(text: str) -> tuple[str, str]:
    """Return two texts with an equals sign between them.

    Raises:
        click.BadParameter: one of them is missing.
    """
    left, sign, right = text.partition("=")
    if not (left and sign and right):
        raise click.BadParameter(f"{text!r} has no text on both sides of an equals sign.")
    return left, right


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")

metadata = click.option(
    "--metadata", metavar="KEY=VALUE", type=pair, multiple=True, help="A label of the batch. May be repeated."
)


def paged(command: Function) -> Function:
    """Add the options of a list."""
    command = click.option("--all", "everything", is_flag=True, help="Print all of them, whatever their number.")(
        command
    )
    limit = click.option(
        "--limit", metavar="N", type=click.IntRange(min=1), default=50, show_default=True, help="The most to print."
    )
    return limit(command)


_FILTERS: dict[str, Mapping[str, Any]] = {
    "status": {
        "type": click.Choice([state.value for state in State]),
        "multiple": True,
        "help": "In this state. May be repeated.",
    },
    "task_type": {"opt": "--type", "metavar": "TYPE", "help": "Of this task type."},
    "batch": {"metavar": "BATCH", "help": "Of this batch."},
    "tag": {"help": "With this tag."},
    "priority": {"type": click.Choice([priority.value for priority in Priority]), "help": "With this priority."},
    "code": {"type": click.Choice([code.value for code in Code]), "help": "With this failure code."},
    "worker": {"metavar": "WORKER", "help": "That ran last on this worker."},
    "host": {"help": "That ran last on this host."},
    "custom_id": {"opt": "--custom-id", "help": "With exactly this custom_id."},
    "created_after": {
        "type": time,
        "help": "Created after this time (RFC 3339), or less than so long ago: 30m, 2h, 7d.",
    },
    "created_before": {"type": time, "help": "Created before this time, or longer ago."},
    "q": {"opt": "--search", "help": "Whose name, custom_id or token begins with this text."},
}
"""The option for each filter of the service. A test compares both."""

OF_TASKS = frozenset(Filters.__struct_fields__) - frozenset(Paging.__struct_fields__)
OF_DEAD_LETTERS = frozenset(FailedFilters.__struct_fields__) - frozenset(Paging.__struct_fields__)


def filtered(names: frozenset[str] = OF_TASKS) -> Callable[[Function], Function]:
    """Return what adds options for these filters to a command, which gets those that are used as `filters`."""

    def add(function: Function) -> Function:
        @wraps(function)
        def with_filters(*args: Any, **given: Any) -> Any:
            chosen = {name: given.pop(name) for name in names}
            used = {name: value for name, value in chosen.items() if value not in (None, ())}
            if "status" in used:
                used["status"] = frozenset(map(State, used["status"]))
            return function(*args, filters=used, **given)

        command: Function = with_filters
        for name, declared in reversed(_FILTERS.items()):
            if name in names:
                more = dict(declared)
                option = more.pop("opt", f"--{name.replace('_', '-')}")
                command = click.option(option, name, **more)(command)
        return command

    return add


def in_body(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return filters as the JSON object of a request."""
    return {name: _in_json(value) for name, value in filters.items()}


def _in_json(value: object) -> object:
    match value:
        case frozenset():
            return ",".join(sorted(value))
        case datetime():
            return value.isoformat()
        case _:
            return value
