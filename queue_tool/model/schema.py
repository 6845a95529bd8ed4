"""JSON Schema: jsonschema-rs decides whether a value is valid, and jsonschema writes the reasons of a refusal.

The dialect is 2020-12 as jsonschema-rs implements it. The two libraries differ in details (`\\d`, `$`, `multipleOf`),
so only jsonschema-rs decides. If jsonschema finds no error, or cannot describe it, the messages of jsonschema-rs are
used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from queue_tool.errors import BadTaskType
from queue_tool.model import json_text

if TYPE_CHECKING:
    import jsonschema
    import jsonschema_rs

MAX_ERRORS = 10
"""Maximum number of reasons for one refused element."""

MAX_MESSAGE = 300
"""Maximum number of characters of one reason."""

MAX_QUOTED = 100
"""Maximum number of characters of a value that a reason quotes, so that the text after the value stays visible."""

TOO_DEEP = "The value is nested too deeply."
"""The reason for a value whose errors neither library can describe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One reason of a refusal: the place in the element (a JSON Pointer, RFC 6901) and the message."""

    path: str
    message: str


class Schema:
    """A JSON Schema, compiled at first use: a worker validates nothing, and jsonschema-rs takes 10 MiB of memory."""

    def __init__(self, document: dict[str, object] | bool) -> None:
        """Keep the schema document. It is not checked here; `compile` checks it."""
        self.document = document

    def compile(self) -> None:
        """Compile the schema now, so that the first value is validated without delay.

        Raises:
            BadTaskType: the document is not a valid JSON Schema of the dialect 2020-12.
        """
        _ = self._validator

    @cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        """Return the validator that decides."""
        import jsonschema_rs

        try:
            return jsonschema_rs.Draft202012Validator(self.document)
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            raise BadTaskType(f"The JSON Schema cannot be used: {_first_line(str(error))}.") from None

    @cached_property
    def _explainer(self) -> jsonschema.Draft202012Validator:
        """Return the validator that writes the reasons. It is loaded at the first refusal; a worker never needs it."""
        import jsonschema

        return jsonschema.Draft202012Validator(self.document)

    def accepts(self, value: object) -> bool:
        """Return whether a value is valid. A value that is too deep for validation is not."""
        try:
            return self._validator.is_valid(value)
        except ValueError:
            return False

    def errors(self, value: object) -> tuple[FieldError, ...]:
        """Return the reasons why a value is invalid; empty if it is valid."""
        if self.accepts(value):
            return ()
        return (
            self._explained_errors(value) or self._validator_errors(value) or (FieldError(path="", message=TOO_DEEP),)
        )

    def _explained_errors(self, value: object) -> tuple[FieldError, ...]:
        try:
            found = sorted(self._explainer.iter_errors(value), key=lambda error: error.json_path)
            return tuple(_field_error(error.absolute_path, _in_json(error)) for error in found[:MAX_ERRORS])
        except (RecursionError, re.error):  # too deep for Python's repr, or a pattern that only Rust accepts
            return ()

    def _validator_errors(self, value: object) -> tuple[FieldError, ...]:
        try:
            found = islice(self._validator.iter_errors(value), MAX_ERRORS)
            return tuple(_field_error(error.instance_path, error.message) for error in found)
        except ValueError:  # also too deep for jsonschema-rs to print
            return ()


def _field_error(path: Iterable[str | int], message: str) -> FieldError:
    pointer = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
    return FieldError(path=pointer, message=_shortened(message, MAX_MESSAGE))


def _in_json(error: jsonschema.ValidationError) -> str:
    """Return the error's message. If it starts with the value as a Python literal, replace that by JSON."""
    python = repr(error.instance)
    if not error.message.startswith(python):
        return error.message
    return _shortened(json_text.dumps(error.instance).decode(), MAX_QUOTED) + error.message.removeprefix(python)


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].rstrip(".")
