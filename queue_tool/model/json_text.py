"""JSON: strict reading, and writing of values of any depth.

orjson decides what is valid JSON. It refuses NaN, Infinity, numbers beyond double precision, lone surrogates, a
byte-order mark, and nesting deeper than 1024 levels. Integers beyond 64 bits become doubles.

orjson cannot write values deeper than 254 levels. Every value that was read must be writable, so this module writes
deeper values itself, without recursion.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec
import orjson

from queue_tool.errors import MalformedJson

LINES = ("application/x-ndjson", "application/jsonl")
"""The media types of a text with one JSON value on each line."""


_IN_OTHER_WORDS = {
    "str is not valid UTF-8: surrogates not allowed": "it is not UTF-8",
    "Input is a zero-length, empty document": "it is empty",
}
"""Plainer words for reasons of orjson that have no place in the text."""


class _Written(bytes):
    """Finished JSON text, among values that are still to be written."""


def loads(text: bytes | str) -> object:
    """Return the value of a JSON text.

    Raises:
        MalformedJson: the text is not valid JSON (RFC 8259). The sentence names the position.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedJson(f"The body is not valid JSON: {_IN_OTHER_WORDS.get(error.msg, error)}.") from None


def loads_lines(text: bytes) -> list[object]:
    """Return the values of a text with one JSON value on each line. Empty lines are skipped.

    Raises:
        MalformedJson: a line is not valid JSON (RFC 8259). The sentence names the line and the position in it.
    """
    values: list[object] = []
    for number, line in enumerate(text.split(b"\n"), start=1):
        if not line or line.isspace():
            continue
        try:
            values.append(orjson.loads(line))
        except orjson.JSONDecodeError as error:
            raise _not_json(number, "the body", error) from None
    return values


def loads_line(line: bytes, number: int, where: str) -> object:
    """Return the value of one line.

    Args:
        line: its JSON text.
        number: its number, for the error.
        where: what has this line, for the error.

    Raises:
        MalformedJson: the line is not valid JSON (RFC 8259).
    """
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise _not_json(number, where, error) from None


def _not_json(number: int, where: str, error: orjson.JSONDecodeError) -> MalformedJson:
    reason = _IN_OTHER_WORDS.get(error.msg, f"{error.msg}: column {error.colno}")
    return MalformedJson(f"Line {number} of {where} is not valid JSON: {reason}.")


def dumps(value: object) -> bytes:
    """Return the JSON text of a value.

    Args:
        value: a value that `loads` could have returned. An `orjson.Fragment` in it is written unchanged, as JSON text.

    Raises:
        TypeError: the value contains something that JSON cannot represent, for example a key that is no text.
    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return _dumps_deep(value)


def encode(value: msgspec.Struct) -> bytes:
    """Return the JSON text of an answer.

    Args:
        value: its fields have values that `loads` could have returned, or stored JSON texts as `raw` returns them.
    """
    try:
        return _encoder.encode(value)
    except RecursionError:
        return _dumps_deep(value)


_encoder = msgspec.json.Encoder()


def raw(text: str | None) -> msgspec.Raw | None:
    """Return a stored JSON text in a form that `encode` writes unchanged. None stays None."""
    return None if text is None else msgspec.Raw(text)


def dumps_result(value: object) -> str:
    """Return the JSON text of the result of a task's function. `loads` can read every text that this returns.

    This is stricter than `dumps`, which writes NaN as null and a date as a string.

    Raises:
        ValueError: the value contains NaN, Infinity, a number beyond double precision, a lone surrogate or a cycle, or
            it is nested too deeply.
        TypeError: the value contains something that JSON cannot represent.
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    orjson.loads(text)  # fails for a number beyond double precision, and for depth that cannot be read back
    return text


def embed(text: str | None) -> orjson.Fragment | None:
    """Return a stored JSON text in a form that `dumps` writes unchanged. None stays None."""
    return None if text is None else orjson.Fragment(text)


def _dumps_deep(value: object) -> bytes:
    """Write a value with a stack of what is still to be written, instead of recursion."""
    written = bytearray()
    waiting: list[object] = [value]
    while waiting:
        match waiting.pop():
            case _Written() as piece:
                written += piece
            case msgspec.Raw() as text:
                written += bytes(text)
            case msgspec.Struct() as struct:
                waiting.append({name: field for name, field in _fields(struct) if field is not msgspec.UNSET})
            case dict() as members:
                waiting += _opened(b"{", [(_label(key), member) for key, member in members.items()], b"}")
            case list() | tuple() as elements:
                waiting += _opened(b"[", [(b"", element) for element in elements], b"]")
            case scalar:
                written += orjson.dumps(scalar)
    return bytes(written)


def _label(key: object) -> bytes:
    if not isinstance(key, str):
        raise TypeError(f"keys of JSON objects are texts, and {key!r} is none")
    return orjson.dumps(key) + b":"


def _fields(struct: msgspec.Struct) -> Iterator[tuple[str, object]]:
    return ((name, getattr(struct, name)) for name in struct.__struct_fields__)


def _opened(start: bytes, parts: list[tuple[bytes, object]], end: bytes) -> list[object]:
    """Return the pieces and values of a container in reverse order, because the stack is emptied from its end."""
    pieces: list[object] = [_Written(start)]
    for number, (label, value) in enumerate(parts):
        pieces += [_Written((b"," if number else b"") + label), value]
    pieces.append(_Written(end))
    return pieces[::-1]
