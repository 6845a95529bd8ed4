"""JSON Schema: jsonschema-rs decides whether a value is valid, and jsonschema writes the reasons of a refusal.

The dialect is 2020-12 as jsonschema-rs implements it. The two libraries differ in details (`\\d`, `$`, `multipleOf`),
so only jsonschema-rs decides. If jsonschema finds no error, or cannot describe it, the messages of jsonschema-rs are
used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from queue_tool.errors import BadTaskType
from queue_tool.model import json_text
from queue_tool.model.made_once import made_once

if TYPE_CHECKING:
    import jsonschema
    import jsonschema_rs

MAX_MESSAGE = 300
"""Maximum number of characters of one reason."""

TOO_DEEP = "The value is nested too deeply."
"""The reason for a value whose errors neither library can describe."""

NOT_VALID = "The value does not match the schema."
"""The reason of a large value for which jsonschema finds none."""

SMALL = 2000
"""Parts and characters of a value up to which jsonschema-rs may word its refusal."""


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

    @made_once
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        """Return the validator that decides."""
        import jsonschema_rs

        try:
            return jsonschema_rs.Draft202012Validator(self.document)
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            raise BadTaskType(f"The JSON Schema cannot be used: {_first_line(str(error))}.") from None

    @made_once
    def _explainer(self) -> jsonschema.Draft202012Validator:
        """Return the validator that writes the reasons. It is loaded at the first refusal; a worker never needs it."""
        from queue_tool.model.explainer import make_explainer

        return make_explainer(self.document)

    def accepts(self, value: object) -> bool:
        """Return whether a value is valid. A value that is too deep for validation is not."""
        try:
            return self._validator.is_valid(value)
        except ValueError:
            return False

    def errors(self, value: object) -> tuple[FieldError, ...]:
        """Return at most ten reasons why a value is invalid; empty if it is valid.

        The work and the memory grow with the size of the value, whatever the schema, and not with the number of its
        errors.
        """
        if self.accepts(value):
            return ()
        return self._explained_errors(value) or self._first_error(value)

    def _explained_errors(self, value: object) -> tuple[FieldError, ...]:
        from queue_tool.model.explainer import MAX_ERRORS

        try:
            found = islice(self._explainer.iter_errors(value), MAX_ERRORS)
            in_order = sorted(found, key=lambda error: error.json_path)
            return tuple(_field_error(error.absolute_path, _in_json(error)) for error in in_order)
        except RecursionError:
            return ()

    def _first_error(self, value: object) -> tuple[FieldError, ...]:
        """Return the first error of jsonschema-rs. It needs much memory: all errors of each branch of `anyOf`."""
        import jsonschema_rs

        if not _is_small(value):
            return (FieldError(path="", message=NOT_VALID),)
        try:
            self._validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            return (_field_error(error.instance_path, error.message),)
        except ValueError:  # too deep for jsonschema-rs to print
            return (FieldError(path="", message=TOO_DEEP),)
        return ()


def _field_error(path: Iterable[str | int], message: str) -> FieldError:
    pointer = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
    return FieldError(path=pointer, message=_shortened(message, MAX_MESSAGE))


def _in_json(error: jsonschema.ValidationError) -> str:
    """Return the error's message. If it starts with a number, boolean or null of Python's, replace that by JSON's."""
    if isinstance(error.instance, (str, list, dict)):
        return error.message
    python = repr(error.instance)
    if not error.message.startswith(python):
        return error.message
    return json_text.dumps(error.instance).decode() + error.message.removeprefix(python)


def _is_small(value: object) -> bool:
    parts, room = [value], SMALL
    while parts:
        part = parts.pop()
        room -= 1
        room -= len(part) if isinstance(part, str) else 0
        inside = part if isinstance(part, list) else list(part.values()) if isinstance(part, dict) else []
        if room < len(inside):
            return False
        parts += inside
    return True


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].rstrip(".")
