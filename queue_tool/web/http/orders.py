"""Bodies that say what to do with tasks: small objects, or nothing at all."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from flask import g, request

from queue_tool.errors import BadRequest, Forbidden, TooManyItems
from queue_tool.model.access import Role
from queue_tool.model.filter import Filter
from queue_tool.web.http.bodies import json_body
from queue_tool.web.http.query import FILTERS, filter_of

MAX_TOKENS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """Which tasks a request means: some by their tokens, or all that a filter means."""

    tokens: Sequence[str]
    filter: Filter | None


def small_object(*known: str) -> dict[str, object]:
    """Return the object that the current request's body holds; an empty one where there is no body.

    Raises:
        UnsupportedMediaType: there is a body, and it does not say that it is JSON.
        BadRequest: it is no object, or has a key that is not known here.
    """
    if not request.content_length and "Transfer-Encoding" not in request.headers:
        return {}
    with json_body() as (_, value):
        if not isinstance(value, dict):
            raise BadRequest("The body must be a JSON object.")
        for name in value:
            if name not in known:
                here = f"known are {', '.join(known)}" if known else "none is"
                raise BadRequest(f"The key {name!r:.80} is not known here; {here}.")
        return value


def text_of(body: dict[str, object], name: str) -> str:
    """Return a text of a body; empty where it is not said.

    Raises:
        BadRequest: it is something else.
    """
    found = body.get(name)
    if found is not None and not isinstance(found, str):
        raise BadRequest(f"{name} must be a text.")
    return found or ""


def who(body: dict[str, object]) -> str:
    """Return who says it: as the body says, or else the name of the API key."""
    return text_of(body, "by") or g.key_name


def meant(body: dict[str, object]) -> Meant:
    """Return which tasks a body means; all that a filter means is for admins.

    Raises:
        BadRequest: it says neither or both, or says it wrongly.
        BadParameter: the filter is not known here, or has a value that cannot be used.
        TooManyItems: it names too many.
        Forbidden: the API key does not allow a filter.
    """
    if ("tokens" in body) == ("filter" in body):
        raise BadRequest('The body must have "tokens", an array of texts, or "filter", an object.')
    if "filter" in body:
        if not g.may(Role.ADMIN):
            raise Forbidden
        return Meant(tokens=(), filter=filter_in(body["filter"]))
    tokens = body["tokens"]
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise BadRequest('"tokens" must be an array of texts.')
    if len(tokens) > MAX_TOKENS:
        raise TooManyItems(f"One request may name {MAX_TOKENS} tokens, and this one names {len(tokens)}.")
    return Meant(tokens=tokens, filter=None)


def filter_in(value: object, known: Collection[str] = FILTERS) -> Filter:
    """Return the filter that an object of a body means.

    Raises:
        BadRequest: it is no object of texts, or has a key that is not known here.
        BadParameter: one of them has a value that cannot be used.
    """
    if not isinstance(value, dict):
        raise BadRequest('"filter" must be an object.')
    for name, text in value.items():
        if name not in known:
            raise BadRequest(f"The filter {name!r:.80} is not known; known are {', '.join(known)}.")
        if not isinstance(text, str) or "\0" in text:
            raise BadRequest(f"The filter {name!r:.80} must be a text.")
    return filter_of(value)
