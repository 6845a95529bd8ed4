"""Query parameters: each is known by name and has a value that can be used, or the request is refused."""

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
    """Return the current request's query parameters, each of which must be known here and come but once.

    Args:
        known: their names.
        labels: whether `metadata.` and any key is known too.

    Raises:
        BadParameter: one is not known, comes twice, or holds what no text may.
    """
    try:
        unquote_to_bytes(request.query_string).decode()
    except UnicodeDecodeError:
        raise BadParameter("The query is not UTF-8.") from None
    found: dict[str, str] = {}
    for name, values in request.args.lists():
        if name not in known and not (labels and name.startswith("metadata.")):
            here = f"known here: {', '.join(known)}" if known else "none is known here"
            raise BadParameter(f"The query parameter {name!r:.80} is not known; {here}.")
        if len(values) > 1:
            raise BadParameter(f"The query parameter {name!r:.80} may come only once.")
        if "\0" in name or "\0" in values[0]:
            raise BadParameter(f"The query parameter {name!r:.80} is no valid text.")
        found[name] = values[0]
    return found


def limit_of(query: Mapping[str, str]) -> int:
    """Return how many items a page has.

    Raises:
        BadParameter: it is no number that a page may have.
    """
    text = query.get("limit", str(ON_A_PAGE))
    if not re.fullmatch("[0-9]{1,4}", text, re.ASCII) or not 1 <= int(text) <= MOST_ON_A_PAGE:
        raise BadParameter(f"limit must be a whole number from 1 to {MOST_ON_A_PAGE}, not {text!r:.40}.")
    return int(text)


def filter_of(query: Mapping[str, str]) -> Filter:
    """Return the filter that parameters mean.

    Raises:
        BadParameter: one of them has a value that cannot be used.
    """
    return Filter(**{field: read(name, query[name]) for name, (field, read) in FILTERS.items() if name in query})


def label_of(query: Mapping[str, str]) -> Label:
    """Return what a batch is called: `name`, and `metadata.` with a key for each of its metadata.

    Raises:
        BadParameter: one of them is empty or too long, or there are too many.
    """
    metadata = {name.removeprefix("metadata."): text for name, text in query.items() if name.startswith("metadata.")}
    if len(metadata) > MOST_LABELS:
        raise BadParameter(f"A batch may have {MOST_LABELS} metadata, and this one has {len(metadata)}.")
    for text in (*metadata, *metadata.values(), query.get("name", "name")):
        if not 1 <= len(text) <= LONGEST_TEXT:
            raise BadParameter(f"name and metadata must have 1 to {LONGEST_TEXT} characters.")
    return Label(name=query.get("name"), metadata=metadata)


def time_of(name: str, text: str) -> datetime:
    """Return the time that a parameter means.

    Raises:
        BadParameter: it means none.
    """
    try:
        return read_time(text.replace(" ", "+"))  # an unencoded plus sign arrives as a space
    except ValueError as error:
        raise BadParameter(f"{name}: {error}") from None


def seconds_of(name: str, text: str) -> float:
    """Return the seconds that a parameter means.

    Raises:
        BadParameter: it means none.
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
    "created_after": ("created_after", time_of),
    "created_before": ("created_before", time_of),
    "q": ("prefix", _some_text),
}
"""The parameters of a filter: for each the field of `Filter` that it means, and how its text is read."""
