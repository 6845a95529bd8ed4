"""JSON Schema: jsonschema-rs decides, jsonschema words the refusal.

The dialect is 2020-12 as jsonschema-rs reads it. The two libraries differ in corners (`\\d`, `$`,
`multipleOf`), so only one of them may decide; where the other finds nothing wrong, or cannot say it, the
decider's own words are used.
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
"""Reasons kept for one refused element."""

MAX_MESSAGE = 300
"""Characters kept of one reason."""

MAX_QUOTED = 100
"""Characters kept of the value that a reason begins with, so that the reason itself can still be read."""

TOO_DEEP = "The value is nested too deeply."
"""What is said of a value whose faults nobody can put into words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One reason of a refusal: where in the element (a JSON Pointer, RFC 6901) and why."""

    path: str
    message: str


class Schema:
    """A JSON Schema, compiled when it is first needed: a worker judges nothing, and the decider takes 10 MiB."""

    def __init__(self, document: dict[str, object] | bool) -> None:
        """Keep the document; `compile` says whether it can be used."""
        self.document = document

    def compile(self) -> None:
        """Make ready to judge.

        Raises:
            BadTaskType: the document is not a JSON Schema of the dialect 2020-12.
        """
        _ = self._decider

    @cached_property
    def _decider(self) -> jsonschema_rs.Draft202012Validator:
        """Return who decides."""
        import jsonschema_rs

        try:
            return jsonschema_rs.Draft202012Validator(self.document)
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            raise BadTaskType(f"The JSON Schema cannot be used: {_first_line(str(error))}.") from None

    @cached_property
    def _wording(self) -> jsonschema.Draft202012Validator:
        """Return who words refusals, loaded at the first of them: a worker never needs it."""
        import jsonschema

        return jsonschema.Draft202012Validator(self.document)

    def accepts(self, value: object) -> bool:
        """Tell whether a value satisfies the schema; one that is too deep to be judged does not."""
        try:
            return self._decider.is_valid(value)
        except ValueError:
            return False

    def errors(self, value: object) -> tuple[FieldError, ...]:
        """Say why a value does not satisfy the schema; empty for one that does."""
        if self.accepts(value):
            return ()
        return self._worded(value) or self._decided(value) or (FieldError(path="", message=TOO_DEEP),)

    def _worded(self, value: object) -> tuple[FieldError, ...]:
        try:
            found = sorted(self._wording.iter_errors(value), key=lambda error: error.json_path)
            return tuple(_field_error(error.absolute_path, _in_json(error)) for error in found[:MAX_ERRORS])
        except (RecursionError, re.error):  # deeper than Python can print, or a pattern that only Rust reads
            return ()

    def _decided(self, value: object) -> tuple[FieldError, ...]:
        try:
            found = islice(self._decider.iter_errors(value), MAX_ERRORS)
            return tuple(_field_error(error.instance_path, error.message) for error in found)
        except ValueError:  # deeper than it can print, too
            return ()


def _field_error(path: Iterable[str | int], message: str) -> FieldError:
    pointer = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
    return FieldError(path=pointer, message=_shortened(message, MAX_MESSAGE))


def _in_json(error: jsonschema.ValidationError) -> str:
    """Return a sentence that quotes the value as JSON, where it begins by quoting it as Python."""
    python = repr(error.instance)
    if not error.message.startswith(python):
        return error.message
    return _shortened(json_text.dumps(error.instance).decode(), MAX_QUOTED) + error.message.removeprefix(python)


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].rstrip(".")
