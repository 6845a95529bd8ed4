"""Bodies of requests that change tasks: a small JSON object, or no body."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from flask import g

from queue_tool.errors import BadRequest, Forbidden, TooManyItems
from queue_tool.model.access import Role
from queue_tool.model.filter import Filter
from queue_tool.web.http.bodies import has_body, json_body
from queue_tool.web.http.query import FILTERS, filter_of

MAX_TOKENS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The tasks that a request selects: by their tokens or by a filter."""

    tokens: Sequence[str]
    filter: Filter | None
    dry_run: bool  # count the tasks and change none


def small_object(*known: str) -> dict[str, object]:
    """Return the JSON object in the current request's body; an empty one if there is no body.

    Args:
        known: the keys that the object may have.

    Raises:
        UnsupportedMediaType: there is a body, and its Content-Type is not `application/json`.
        BadRequest: the body is not an object, or has an unknown key.
    """
    if not has_body():
        return {}
    with json_body() as (_, value):
        if not isinstance(value, dict):
            raise BadRequest("The body must be a JSON object.")
        for name in value:
            if name not in known:
                hint = f"Known keys: {', '.join(known)}" if known else "This route takes no keys"
                raise BadRequest(f"Unknown key {name[:80]!r:.80}. {hint}.")
        return value


def text_of(body: dict[str, object], name: str) -> str:
    """Return the text under a key of a body; empty if it is missing or null.

    Raises:
        BadRequest: the value is not a string.
    """
    found = body.get(name)
    if found is not None and not isinstance(found, str):
        raise BadRequest(f"{name} must be a string.")
    return found or ""


def truth_of(body: dict[str, object], name: str) -> bool:
    """Return the boolean under a key of a body; False if it is missing.

    Raises:
        BadRequest: the value is not a boolean.
    """
    found = body.get(name, False)
    if not isinstance(found, bool):
        raise BadRequest(f"{name} must be true or false.")
    return found


def requester(body: dict[str, object]) -> str:
    """Return the name of the requester: `by` in the body, or else the name of the API key."""
    return text_of(body, "by") or g.key_name


def selection_of(body: dict[str, object]) -> Selection:
    """Return the tasks that a body selects, by `tokens` or by `filter`. Only admins may use a filter.

    Raises:
        BadRequest: the body has neither key or both, or a value of the wrong type, or an unknown filter.
        BadParameter: a filter has a value that cannot be used.
        TooManyItems: the body has too many tokens.
        Forbidden: the role of the API key does not allow a filter.
    """
    dry_run = truth_of(body, "dry_run")
    if ("tokens" in body) == ("filter" in body):
        raise BadRequest('The body must have "tokens", an array of strings, or "filter", an object.')
    if "filter" in body:
        if not g.may(Role.ADMIN):
            raise Forbidden
        return Selection(tokens=(), filter=filter_of_body(body), dry_run=dry_run)
    tokens = body["tokens"]
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise BadRequest('"tokens" must be an array of strings.')
    if len(tokens) > MAX_TOKENS:
        raise TooManyItems(f"The request has {len(tokens)} tokens; the limit is {MAX_TOKENS}.")
    return Selection(tokens=tokens, filter=None, dry_run=dry_run)


def filter_of_body(body: dict[str, object], known: Collection[str] = FILTERS) -> Filter:
    """Return the filter of a body. One that selects all tasks needs `"all": true` beside it.

    Args:
        body: the body, with the key `filter`.
        known: the names that the filter may have.

    Raises:
        BadRequest: the filter is not an object of strings, has an unknown name, or selects all tasks by mistake.
        BadParameter: a filter has a value that cannot be used.
    """
    found = filter_in(body["filter"], known)
    if found.is_empty and not truth_of(body, "all"):
        raise BadRequest('An empty filter selects all tasks. Add "all": true beside "filter" if you mean that.')
    return found


def filter_in(value: object, known: Collection[str] = FILTERS) -> Filter:
    """Return the filter that an object in a body describes.

    Args:
        value: the object, which must have strings as values.
        known: the names that it may have.

    Raises:
        BadRequest: the value is not an object of strings, or has an unknown name.
        BadParameter: a filter has a value that cannot be used.
    """
    if not isinstance(value, dict):
        raise BadRequest('"filter" must be an object.')
    for name, text in value.items():
        if name not in known:
            raise BadRequest(f"Unknown filter {name[:80]!r:.80}. Known filters: {', '.join(known)}.")
        if not isinstance(text, str) or "\0" in text:
            raise BadRequest(f"The filter {name!r:.80} must be a string without null characters.")
    return filter_of(value)
