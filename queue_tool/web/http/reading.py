"""Reading the JSON object of a request as a typed value, and the sentence about one that cannot be read."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar, get_args

import msgspec
from msgspec import NODEFAULT, Meta, Struct, UnsetType
from msgspec.structs import FieldInfo

from queue_tool.errors import BadRequest
from queue_tool.model.queues import Priority
from queue_tool.model.typed import convert
from queue_tool.web.http.bodies import has_body, json_body

Value = TypeVar("Value", bound=Struct)

_WORDS: dict[object, str] = {
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list[str]: "an array of strings",
    list[Any]: "an array",
    dict[str, Any]: "an object",
    dict[str, str]: "an object of strings",
    Priority: "high, normal or low",
}
"""What a value of a type is for users."""


def read_object(kind: type[Value], refusal: type[BadRequest]) -> Value:
    """Return the object in the current request's body. Without a body it is an empty object.

    Args:
        kind: the type of the object.
        refusal: the class of the error if the object is not of this type.

    Raises:
        UnsupportedMediaType: there is a body, and its Content-Type is not `application/json`.
        BadRequest: the body is not such an object.
    """
    if not has_body() and not requires_a_key(kind):
        return kind()
    with json_body() as body:
        try:
            return convert(body.value, kind)
        except msgspec.ValidationError:
            raise (refusal(_sentence(body.value, kind)) if refusal is BadRequest else refusal()) from None


@cache
def requires_a_key(kind: type[Struct]) -> bool:
    """Return whether an object of a type must have a key. msgspec reads the types anew each time."""
    return any(field.required for field in msgspec.structs.fields(kind))


def _sentence(value: object, kind: type[Struct]) -> str:
    """Return why a value is not an object of a type."""
    if not isinstance(value, dict):
        return "The body must be a JSON object."
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name in value:
        if name not in fields:
            hint = f"Known keys: {', '.join(fields)}" if fields else "This route takes no keys"
            return f"Unknown key {name[:80]!r:.80}. {hint}."
    wrong = next(name for name, field in fields.items() if not _fits(value.get(name, NODEFAULT), field))
    return f"{wrong} must be {_words(fields[wrong].type)}."


def _fits(value: object, field: FieldInfo) -> bool:
    if value is NODEFAULT:
        return not field.required
    try:
        convert(value, field.type)
    except msgspec.ValidationError:
        return False
    return True


def _words(kind: Any) -> str:
    """Return what a value of a type is, in words."""
    if hasattr(kind, "__metadata__"):
        return _words(kind.__origin__) + "".join(map(_bounds, kind.__metadata__))
    if kind in _WORDS:
        return _WORDS[kind]
    return _words(next(part for part in get_args(kind) if part not in (type(None), UnsetType)))


def _bounds(meta: object) -> str:
    """Return the bounds that the metadata of a type say; empty if they say none."""
    if not isinstance(meta, Meta) or meta.ge is None or meta.le is None:
        return ""
    return f" from {meta.ge} to {meta.le}"
