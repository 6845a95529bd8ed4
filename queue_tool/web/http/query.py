"""Query parameters as typed values: a request with an unknown name or an invalid value is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache, partial
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from flask import request
from msgspec import inspect

from queue_tool.errors import BadParameter
from queue_tool.model.payloads.queries import Paging, Query
from queue_tool.model.state_words import understood
from queue_tool.model.states import State
from queue_tool.model.times import read_time

Kind = TypeVar("Kind", bound=Query)

Read = Callable[[str, str], Any]
"""Returns the value of a parameter from its name and its text."""

PAGE_NUMBERS = ("skip", "offset", "page", "pageSize")
"""How clients of earlier systems asked for a page."""


def read_query(kind: type[Kind]) -> Kind:
    """Return the current request's query parameters. Each name must be known.

    A name may occur more than once only if its parameter is a list: clients that are generated from the OpenAPI
    document send `status=failed&status=finished` as well as `status=failed,finished`.

    Raises:
        BadParameter: a name is unknown or occurs too often, a required one is missing, or a value cannot be used.
    """
    if not request.query_string and not _requires_one(kind):
        return kind()
    try:
        unquote_to_bytes(request.query_string).decode()
    except UnicodeDecodeError:
        raise BadParameter("The query is not UTF-8.") from None
    return parsed(kind, dict(_texts(kind)))


_PLAIN = re.compile(r"[A-Za-z0-9_.-]+=[A-Za-z0-9_.-]*(?:&[A-Za-z0-9_.-]+=[A-Za-z0-9_.-]*)*", re.ASCII)


def plain_query(kind: type[Kind], text: str) -> Kind | None:
    """Return the parameters of a query in which nothing is encoded and no name occurs twice; None for other queries.

    Raises:
        BadParameter: as `read_query`.
    """
    if not text:
        return kind()
    if not _PLAIN.fullmatch(text):
        return None
    parts = [part.partition("=") for part in text.split("&")]
    texts = {name: value for name, _, value in parts}
    return parsed(kind, texts) if len(texts) == len(parts) else None


def _texts(kind: type[Query]) -> Iterator[tuple[str, str]]:
    for name, values in request.args.lists():
        if len(values) > 1 and not _is_list(kind, name):
            raise BadParameter(f"The query parameter {name!r:.80} may occur only once.")
        text = ",".join(values)
        if "\0" in name or "\0" in text:
            raise BadParameter(f"The query parameter {name!r:.80} contains a null character.")
        yield name, text


def parsed(kind: type[Kind], texts: Mapping[str, str]) -> Kind:
    """Return the parameters that texts describe.

    Args:
        kind: the parameters.
        texts: the text of each parameter, by its name. That of a label has its key in its name, `metadata.<key>`.

    Raises:
        BadParameter: a name is unknown, a required one is missing, or a value cannot be used.
    """
    readers = readers_of(kind)
    values: dict[str, Any] = {}
    for name, text in texts.items():
        group, dot, key = name.partition(".")
        if dot and readers.get(group) is _label:
            values.setdefault(group, {})[key] = text
        elif name in readers and readers[name] is not _label:
            values[name] = readers[name](name, text)
        else:
            raise BadParameter(_about_unknown(name, kind))
    for field in _fields(kind):
        if field.required and field.encode_name not in values:
            raise BadParameter(f"The query parameter {field.encode_name} is required. {_description(field.type)}")
    return kind(**{field.name: values[field.encode_name] for field in _fields(kind) if field.encode_name in values})


def _about_unknown(name: str, kind: type[Query]) -> str:
    """Return the sentence about an unknown parameter."""
    if name in PAGE_NUMBERS and issubclass(kind, Paging):
        return (
            f"This list has no parameter {name}. Set the size of a page with `limit`, "
            "and send `next` of the page before as `cursor`."
        )
    known = [known for known, read in readers_of(kind).items() if read is not _label]
    hint = f"Known parameters: {', '.join(known)}" if known else "This route takes no parameters"
    return f"Unknown query parameter {name!r:.80}. {hint}."


@cache
def _requires_one(kind: type[Query]) -> bool:
    return any(field.required for field in _fields(kind))


@cache
def readers_of(kind: type[Query]) -> Mapping[str, Read]:
    """Return for each parameter the function that reads its text."""
    return {field.encode_name: _reader(field.type) for field in _fields(kind)}


def _is_list(kind: type[Query], name: str) -> bool:
    """Return whether the parameter with this name takes several values."""
    read = readers_of(kind).get(name)
    return isinstance(read, partial) and read.func is _several


@cache
def _fields(kind: type[Query]) -> tuple[inspect.Field, ...]:
    found = inspect.type_info(kind)
    assert isinstance(found, inspect.StructType)  # a Query is a struct
    return found.fields


def _description(kind: inspect.Type) -> str:
    """Return what the declaration says about a parameter."""
    schema = kind.extra_json_schema if isinstance(kind, inspect.Metadata) else None
    return str((schema or {}).get("description", ""))


def _reader(kind: inspect.Type) -> Read:
    """Return the function that reads the values of a type."""
    match kind:
        case inspect.Metadata(type=inner):
            return _reader(inner)
        case inspect.UnionType(types=types):
            return _reader(next(member for member in types if not isinstance(member, inspect.NoneType)))
        case inspect.IntType(ge=int(least), le=int(most)):
            return partial(_number, least, most)
        case inspect.FrozenSetType(item_type=item):
            return partial(_several, *_choice(item))
        case inspect.EnumType() | inspect.LiteralType():
            return partial(_member, *_choice(kind))
        case _:
            return _READERS.get(type(kind), _text)


def _choice(kind: inspect.Type) -> tuple[list[str], Callable[[str], Any]]:
    """Return the texts that a value of a type may have, and what makes a value from one of them."""
    if isinstance(kind, inspect.EnumType):
        return [member.value for member in kind.cls], kind.cls
    assert isinstance(kind, inspect.LiteralType)  # a set of anything else is no parameter
    return [str(value) for value in kind.values], str


def _text(_name: str, text: str) -> str:
    return text


def _label(_name: str, text: str) -> str:
    """Return the text of a label. A parameter of this kind has the key of the label in its name."""
    return text


def _number(least: int, most: int, name: str, text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text, re.ASCII) or not least <= int(text) <= most:
        raise BadParameter(f"{name} must be a whole number from {least} to {most}, not {text!r:.40}.")
    return int(text)


def _several(known: list[str], make: Callable[[str], Any], name: str, text: str) -> frozenset[Any]:
    """Return the values that a text lists. A set of states may also have words of earlier systems."""
    has_states = not set(State).isdisjoint(known)
    found: set[Any] = set()
    for part in text.split(","):
        meant = understood(part) if has_states else (part,)
        _require(meant, known, name, part)
        found.update(map(make, meant))
    return frozenset(found)


def _member(known: list[str], make: Callable[[str], Any], name: str, text: str) -> Any:
    _require((text,), known, name, text)
    return make(text)


def _require(meant: Iterable[str], known: list[str], name: str, text: str) -> None:
    if not set(meant) <= set(known):
        raise BadParameter(f"{name} must be one of {', '.join(known)}, not {text!r:.40}.")


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


_READERS: Mapping[type[inspect.Type], Read] = {
    inspect.FloatType: seconds_of,
    inspect.DateTimeType: time_of,
    inspect.DictType: _label,
}
