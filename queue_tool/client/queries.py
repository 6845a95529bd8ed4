"""Query parameters, from the structs with which the service reads them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from urllib.parse import quote, urlencode

from msgspec import Struct, structs

from queue_tool.errors import NotSent


def target_of(path: str, query: Struct, left_out: Collection[str]) -> str:
    """Return the path with the parameters that differ from their defaults.

    Args:
        path: the path.
        query: the parameters.
        left_out: fields of the query that are no parameters.
    """
    pairs = [
        pair
        for found in structs.fields(query)
        if found.name not in left_out
        for pair in _pairs(found.encode_name, getattr(query, found.name))
        if found.required or getattr(query, found.name) != found.default
    ]
    return f"{path}?{urlencode(pairs, quote_via=quote)}" if pairs else path


def segment(name: object) -> str:
    """Return a token, id or name as one part of a path.

    Raises:
        NotSent: it is not a text, or one that would lead to another path.
    """
    if not isinstance(name, str) or name in _NO_NAMES:
        raise NotSent(f"A token, id or name must be a text such as {_EXAMPLE!r}, and not {name!r}.")
    return quote(name, safe="")


_NO_NAMES = ("", ".", "..")
_EXAMPLE = "01a2171f18857a0bb04b6fac08924c5e"


def _pairs(name: str, value: object) -> Iterator[tuple[str, str]]:
    match value:
        case None:
            return
        case Mapping():
            yield from ((f"{name}.{key}", str(text)) for key, text in value.items())
        case str():
            yield name, str(value)
        case datetime():
            yield name, value.isoformat()
        case float():
            yield name, f"{value:.6f}".rstrip("0").rstrip(".")
        case Collection():
            if value:
                yield name, ",".join(sorted(map(str, value)))
        case _:
            yield name, str(value)
