"""Quotations: the beginning of a value in the reason why it was refused. The rest of the value is not written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from queue_tool.model import json_text

MAX_QUOTED = 100
"""Maximum number of characters of a value that a reason quotes, so that the text after the value stays visible."""

Keyword = Callable[[Any, Any, Any, Any], Iterator[Any]]
"""As jsonschema calls it: the validator, the keyword's value, the instance, and the schema with the keyword."""


def quoted(value: object) -> str:
    """Return the JSON text of a value, cut after `MAX_QUOTED` characters. The rest of the value is not written."""
    text = ""
    for piece in _pieces(value):
        text += piece
        if len(text) > MAX_QUOTED:
            return text[: MAX_QUOTED - 1] + "…"
    return text


def _pieces(value: object) -> Iterator[str]:
    if isinstance(value, str):
        text = json_text.dumps(value[: MAX_QUOTED + 1]).decode()
        yield text if len(value) <= MAX_QUOTED else text[:-1]
    elif isinstance(value, dict):
        yield "{"
        for number, (name, member) in enumerate(value.items()):
            yield "," if number else ""
            yield from _pieces(name)
            yield ":"
            yield from _pieces(member)
        yield "}"
    elif isinstance(value, list):
        yield "["
        for number, element in enumerate(value):
            yield "," if number else ""
            yield from _pieces(element)
        yield "]"
    else:
        yield json_text.dumps(value).decode()


class _Brief:
    """Stands for a text or a container: it has the same kind and length, and is written as the quotation."""

    text = ""
    length = 0

    def __repr__(self) -> str:
        return self.text

    def __len__(self) -> int:
        return self.length


class _BriefText(_Brief, str):
    """Stands for a text."""


class _BriefArray(_Brief, list[Any]):
    """Stands for an array."""


class _BriefObject(_Brief, dict[Any, Any]):
    """Stands for an object."""


def _brief(value: object) -> object:
    for kind, brief in ((str, _BriefText), (list, _BriefArray), (dict, _BriefObject)):
        if isinstance(value, kind):
            stand_in = brief()
            stand_in.text, stand_in.length = quoted(value), len(value)
            return stand_in
    return value


def quoting(keyword: Keyword) -> Keyword:
    """Return a keyword of jsonschema that quotes only the beginning of a value."""

    def check(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:
        yield from keyword(validator, wanted, _brief(instance), schema)

    return check
