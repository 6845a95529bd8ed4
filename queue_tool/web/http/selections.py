"""Selections: the tasks that a request about many tasks names, by their tokens or by a filter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from flask import g
from msgspec import UNSET

from queue_tool.errors import BadRequest, Forbidden, TooManyItems
from queue_tool.model.access import Role
from queue_tool.model.filter import Filter
from queue_tool.model.payloads.filters import FailedFilters, Filters
from queue_tool.model.payloads.requests import MOST_TOKENS, RetryBody, RetryFailedBody
from queue_tool.web.http.query import parsed, readers_of

PAGING = ("limit", "cursor")

AnyFilters = TypeVar("AnyFilters", bound=FailedFilters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The tasks that a request selects: by their tokens or by a filter."""

    tokens: Sequence[str]
    filter: Filter | None


def requester(by: str | None) -> str:
    """Return the name of the requester: the one in the body, or else the name of the API key."""
    return by or g.key_name


def selection_of(body: RetryBody) -> Selection:
    """Return the tasks that a body selects, by `tokens` or by `filter`. Only admins may use a filter.

    Raises:
        BadRequest: the body has neither key or both, or an unknown filter.
        BadParameter: a filter has a value that cannot be used.
        TooManyItems: the body has too many tokens.
        Forbidden: the role of the API key does not allow a filter.
    """
    if (body.tokens is UNSET) == (body.filter is UNSET):
        raise BadRequest('The body must have "tokens", an array of strings, or "filter", an object.')
    if body.tokens is UNSET:
        if not g.may(Role.ADMIN):
            raise Forbidden("A filter needs an API key with the role admin.")
        return Selection(tokens=(), filter=filter_of_body(body, Filters))
    return Selection(tokens=few(body.tokens), filter=None)


def few(tokens: Sequence[str]) -> Sequence[str]:
    """Return the tokens of a request, if they are not too many.

    Raises:
        TooManyItems: there are too many.
    """
    if len(tokens) > MOST_TOKENS:
        raise TooManyItems(f"The request has {len(tokens)} tokens; the limit is {MOST_TOKENS}.")
    return tokens


def filter_of_body(body: RetryBody | RetryFailedBody, kind: type[AnyFilters]) -> Filter:
    """Return the filter of a body. One that selects all tasks needs `"all": true` beside it.

    Args:
        body: the body, with the key `filter`.
        kind: the filters that it may have.

    Raises:
        BadRequest: the filter is not an object of strings, has an unknown name, or selects all tasks by mistake.
        BadParameter: a filter has a value that cannot be used.
    """
    known = [name for name in readers_of(kind) if name not in PAGING]
    texts = {} if body.filter is UNSET else body.filter
    for name, text in texts.items():
        if name not in known:
            raise BadRequest(f"Unknown filter {name[:80]!r:.80}. Known filters: {', '.join(known)}.")
        if not isinstance(text, str) or "\0" in text:
            raise BadRequest(f"The filter {name!r:.80} must be a string without null characters.")
    found = parsed(kind, texts).filter
    if found.is_empty and not body.all:
        raise BadRequest('An empty filter selects all tasks. Add "all": true beside "filter" if you mean that.')
    return found
