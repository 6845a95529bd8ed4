"""Query parameters: a request with an unknown name or an invalid value is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from flask import request

from queue_tool.errors import BadParameter
from queue_tool.model.batch import Label
from queue_tool.model.filter import Filter
from queue_tool.model.queues import Priority
from queue_tool.model.states import Code, State
from queue_tool.model.times import read_time

Member = TypeVar("Member", bound=StrEnum)

MOST_ON_A_PAGE = 1000
ON_A_PAGE = 50
LONGEST_TEXT = 255
MOST_LABELS = 20

PAGING = ("limit", "cursor")


def parameters(*known: str, labels: bool = False) -> dict[str, str]:
    """Return the current request's query parameters. Each name must be known and occur only once.

    Args:
        known: the known names.
        labels: whether names that start with `metadata.` are known as well.

    Raises:
        BadParameter: a name is unknown or occurs twice, or a name or value is not valid text.
    """
    try:
        unquote_to_bytes(request.query_string).decode()
    except UnicodeDecodeError:
        raise BadParameter("The query is not UTF-8.") from None
    found: dict[str, str] = {}
    for name, values in request.args.lists():
        if name not in known and not (labels and name.startswith("metadata.")):
            hint = f"Known parameters: {', '.join(known)}" if known else "This route takes no parameters"
            raise BadParameter(f"Unknown query parameter {name!r:.80}. {hint}.")
        if len(values) > 1:
            raise BadParameter(f"The query parameter {name!r:.80} may occur only once.")
        if "\0" in name or "\0" in values[0]:
            raise BadParameter(f"The query parameter {name!r:.80} contains a null character.")
        found[name] = values[0]
    return found


def limit_of(query: Mapping[str, str]) -> int:
    """Return the number of items on a page.

    Raises:
        BadParameter: `limit` is not a number in the allowed range.
    """
    text = query.get("limit", str(ON_A_PAGE))
    if not re.fullmatch("[0-9]{1,4}", text, re.ASCII) or not 1 <= int(text) <= MOST_ON_A_PAGE:
        raise BadParameter(f"limit must be a whole number from 1 to {MOST_ON_A_PAGE}, not {text!r:.40}.")
    return int(text)


def filter_of(query: Mapping[str, str]) -> Filter:
    """Return the filter that the parameters describe.

    Raises:
        BadParameter: a parameter has a value that cannot be used.
    """
    return Filter(**{field: read(name, query[name]) for name, (field, read) in FILTERS.items() if name in query})


def label_of(query: Mapping[str, str]) -> Label:
    """Return the label of a batch: its `name`, and its metadata from the parameters `metadata.<key>`.

    Raises:
        BadParameter: the name, a key or a value is empty or too long, or there are too many metadata.
    """
    metadata = {name.removeprefix("metadata."): text for name, text in query.items() if name.startswith("metadata.")}
    if len(metadata) > MOST_LABELS:
        raise BadParameter(f"The batch has {len(metadata)} metadata entries; the limit is {MOST_LABELS}.")
    for text in (*metadata, *metadata.values(), query.get("name", "name")):
        if not 1 <= len(text) <= LONGEST_TEXT:
            raise BadParameter(f"The name and each metadata key and value must have 1 to {LONGEST_TEXT} characters.")
    return Label(name=query.get("name"), metadata=metadata)


def time_of(name: str, text: str) -> datetime:
    """Return the value of a parameter as a time.

    Raises:
        BadParameter: the value is not a time.
    """
    try:
        return read_time(text.replace(" ", "+"))  # an unencoded plus sign arrives as a space
    except ValueError as error:
        raise BadParameter(f"{name}: {error}") from None


def seconds_of(name: str, text: str) -> float:
    """Return the value of a parameter as seconds.

    Raises:
        BadParameter: the value is not a number of seconds.
    """
    if not re.fullmatch(r"[0-9]{1,10}(\.[0-9]{1,6})?", text, re.ASCII):
        raise BadParameter(f"{name} must be a number of seconds, not {text!r:.40}.")
    return float(text)


def _text(_name: str, text: str) -> str:
    return text


def _some_text(_name: str, text: str) -> str | None:
    return text or None


def _states(name: str, text: str) -> frozenset[State]:
    return frozenset(_member(State, name, part) for part in text.split(","))


def _member(kind: type[Member], name: str, text: str) -> Member:
    try:
        return kind(text)
    except ValueError:
        raise BadParameter(f"{name} must be one of {', '.join(kind)}, not {text!r:.40}.") from None


FILTERS: Mapping[str, tuple[str, Callable[[str, str], Any]]] = {
    "status": ("states", _states),
    "task_type": ("task_type", _text),
    "batch": ("batch", _text),
    "tag": ("tag", _text),
    "priority": ("priority", partial(_member, Priority)),
    "code": ("code", partial(_member, Code)),
    "worker": ("worker", _text),
    "host": ("host", _text),
    "custom_id": ("custom_id", _text),
    "created_after": ("created_after", time_of),
    "created_before": ("created_before", time_of),
    "q": ("prefix", _some_text),
}
"""The parameters of a filter: for each, the field of `Filter` and the function that reads its text."""
