"""JSON, read strictly and written whatever the depth.

orjson decides what is JSON: it refuses NaN, Infinity, numbers beyond double, lone surrogates, a byte-order
mark and depth beyond 1024; integers beyond 64 bits become doubles. It writes no deeper than 254 levels,
though, and what was read must always be writable, so a deeper value is written without recursion here.
"""

from __future__ import annotations

import json

import orjson

from queue_tool.errors import MalformedJson


class _Written(bytes):
    """A piece of text on the way out, among values that are still to be written."""


def loads(text: bytes | str) -> object:
    """Return the value of a JSON text.

    Raises:
        MalformedJson: it is not JSON as RFC 8259 says; the sentence says where.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedJson(f"The body is not valid JSON: {error}.") from None


def dumps(value: object) -> bytes:
    """Return a value's JSON text; the value is one that `loads` could have returned.

    `orjson.Fragment` inside of it is taken as text that is JSON already.
    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return _dumps_deep(value)


def dumps_result(value: object) -> str:
    """Return the JSON text of what a task's function returned.

    Stricter than `dumps`, which would write NaN as null and a date as a string.

    Raises:
        ValueError: it holds NaN, Infinity, a number beyond double, a lone surrogate or a cycle, or is nested too
            deeply: what is written here can be read by `loads`.
        TypeError: it holds something that JSON has no word for.
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    orjson.loads(text)  # a number beyond double or depth beyond reading is not worth keeping
    return text


def embed(text: str | None) -> orjson.Fragment | None:
    """Return a stored JSON text in a form that `dumps` writes as it is; None stays None."""
    return None if text is None else orjson.Fragment(text)


def _dumps_deep(value: object) -> bytes:
    """Write a value with a list of what is still to do in place of recursion."""
    written = bytearray()
    waiting: list[object] = [value]
    while waiting:
        match waiting.pop():
            case _Written() as piece:
                written += piece
            case dict() as members:
                waiting += _opened(b"{", [(orjson.dumps(key) + b":", member) for key, member in members.items()], b"}")
            case list() as elements:
                waiting += _opened(b"[", [(b"", element) for element in elements], b"]")
            case scalar:
                written += orjson.dumps(scalar)
    return bytes(written)


def _opened(start: bytes, parts: list[tuple[bytes, object]], end: bytes) -> list[object]:
    """Return a container's pieces and values, the first one last, since the list is emptied from its end."""
    pieces: list[object] = [_Written(start)]
    for number, (label, value) in enumerate(parts):
        pieces += [_Written((b"," if number else b"") + label), value]
    pieces.append(_Written(end))
    return pieces[::-1]
