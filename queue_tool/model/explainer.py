"""Why a value is refused, in jsonschema's words. jsonschema-rs decides at each step, and so it bounds the work.

jsonschema alone would look at every element of a value in Python, build all errors of each branch of `anyOf`, compare
each pair of unequal elements for `uniqueItems`, and search with patterns that may need exponential time. Here a part of
a value is looked at only if jsonschema-rs refuses that part, and at most `MAX_ERRORS` parts of one container. A message
quotes only the beginning of a value, and the rest of the value is not written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from heapq import nsmallest
from itertools import islice
from typing import Any

import jsonschema
import jsonschema_rs
from jsonschema.validators import extend

from queue_tool.model import json_text
from queue_tool.model.quotation import MAX_QUOTED, Keyword, quoted, quoting

MAX_ERRORS = 10
"""Maximum number of reasons for one refused element."""

QUOTING = (
    "type",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "minProperties",
    "maxProperties",
)
"""jsonschema's keywords that look at the kind or the length of a value, and quote it."""


def make_explainer(document: dict[str, object] | bool) -> jsonschema.Draft202012Validator:
    """Return a validator of jsonschema's kind whose `iter_errors` does only bounded work for each error."""
    words = _Words(document)
    own: dict[str, Keyword] = {
        "additionalProperties": words.additional_properties,
        "anyOf": words.any_of,
        "contains": words.contains,
        "enum": words.enum,
        "if": words.if_,
        "items": words.items,
        "not": words.not_,
        "oneOf": words.one_of,
        "pattern": words.pattern,
        "patternProperties": words.pattern_properties,
        "prefixItems": words.prefix_items,
        "properties": words.properties,
        "propertyNames": words.property_names,
        "unevaluatedItems": _nothing,  # jsonschema-rs words these
        "unevaluatedProperties": _nothing,
        "uniqueItems": words.unique_items,
    }
    quoted_in_short = {name: quoting(jsonschema.Draft202012Validator.VALIDATORS[name]) for name in QUOTING}
    kind: Any = extend(jsonschema.Draft202012Validator, {**own, **quoted_in_short})  # type: ignore[no-untyped-call] # it has no types
    explainer: jsonschema.Draft202012Validator = kind(document)
    return explainer


def _nothing(_validator: Any, _wanted: Any, _instance: Any, _schema: Any) -> Iterator[Any]:
    return iter(())


class _Words:
    """The keywords that look into a value, or at a pattern."""

    def __init__(self, document: dict[str, object] | bool) -> None:
        """Compile a validator for each part of the schema."""
        self._parts: dict[int, Any] = {}
        compiled = jsonschema_rs.validator_map_for(document)
        for pointer in compiled.keys():  # noqa: SIM118 - it is no dict
            part = _pointed_at(document, pointer)
            if isinstance(part, dict):
                self._parts[id(part)] = compiled[pointer]
        self._own = cache(lambda keyword, text: jsonschema_rs.Draft202012Validator({keyword: json_text.loads(text)}))

    def _ok(self, part: Any, value: object) -> bool:
        """Return whether jsonschema-rs accepts a value under a part of the schema."""
        if isinstance(part, bool):
            return part
        validator = self._parts.get(id(part))
        return validator is not None and _accepts(validator, value)

    def _keyword_ok(self, keyword: str, wanted: object, value: object) -> bool:
        return _accepts(self._own(keyword, json_text.dumps(wanted)), value)

    def _into(self, validator: Any, children: Iterable[tuple[Any, Any, str | int | None]]) -> Iterator[Any]:
        """Return the errors of the first refused children. A child is a value, its part of the schema, and its key."""
        refused = (child for child in children if not self._ok(child[1], child[0]))
        for value, part, key in islice(refused, MAX_ERRORS):
            yield from validator.descend(value, part, path=key)

    def items(self, validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:
        """Word the refusal of elements after those of `prefixItems`."""
        first = len(schema.get("prefixItems", []))
        if not isinstance(instance, list) or len(instance) <= first:
            return
        if wanted is False:
            extra, items = len(instance) - first, "item" if first == 1 else "items"
            rest = quoted(instance[first] if extra == 1 else instance[first : first + MAX_QUOTED])
            yield _error(f"Expected at most {first} {items} but found {extra} extra: {rest}")
            return
        children = ((instance[index], wanted, index) for index in range(first, len(instance)))
        yield from self._into(validator, children)

    def prefix_items(self, validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[Any]:
        """Word the refusal of the first elements."""
        if isinstance(instance, list):
            pairs = enumerate(zip(instance, wanted, strict=False))
            yield from self._into(validator, ((value, part, index) for index, (value, part) in pairs))

    def properties(self, validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[Any]:
        """Word the refusal of properties that the schema names."""
        if isinstance(instance, dict):
            here = ((instance[name], part, name) for name, part in wanted.items() if name in instance)
            yield from self._into(validator, here)

    def pattern_properties(self, validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[Any]:
        """Word the refusal of properties whose names match a pattern."""
        if isinstance(instance, dict):
            for pattern, part in wanted.items():
                matching = (name for name in instance if self._keyword_ok("pattern", pattern, name))
                yield from self._into(validator, ((instance[name], part, name) for name in matching))

    def additional_properties(self, validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:
        """Word the refusal of properties that the schema does not name."""
        if not isinstance(instance, dict):
            return
        patterns = schema.get("patternProperties", {})
        extra = (
            name
            for name in instance
            if name not in schema.get("properties", {})
            and not any(self._keyword_ok("pattern", pattern, name) for pattern in patterns)
        )
        if wanted is not False:
            yield from self._into(validator, ((instance[name], wanted, name) for name in extra))
            return
        names = nsmallest(MAX_QUOTED, extra)  # more would be cut off
        listed = ", ".join(repr(name[: MAX_QUOTED * 3]) for name in names)
        if names and "patternProperties" in schema:
            verb, known = ("does" if len(names) == 1 else "do"), ", ".join(repr(each) for each in sorted(patterns))
            yield _error(f"{listed} {verb} not match any of the regexes: {known}")
        elif names:
            verb = "was" if len(names) == 1 else "were"
            yield _error(f"Additional properties are not allowed ({listed} {verb} unexpected)")

    def property_names(self, validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[Any]:
        """Word the refusal of names."""
        if isinstance(instance, dict):
            yield from self._into(validator, ((name, wanted, None) for name in instance))

    def contains(self, _validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:
        """Word that too few or too many elements match."""
        if not isinstance(instance, list):
            return
        least, most = schema.get("minContains", 1), schema.get("maxContains", len(instance))
        matches = sum(1 for each in instance if self._ok(wanted, each))
        if matches > most:
            yield _error(f"Too many items match the given schema (expected at most {most})")
        elif matches < least and not matches:
            yield _error(f"{quoted(instance)} does not contain items matching the given schema")
        elif matches < least:
            expected = f"expected at least {least} but only {matches} matched"
            yield _error(f"Too few items match the given schema ({expected})")

    def any_of(self, _validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[Any]:
        """Word that no branch accepts the value."""
        if not any(self._ok(part, instance) for part in wanted):
            yield _error(f"{quoted(instance)} is not valid under any of the given schemas")

    def one_of(self, _validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[Any]:
        """Word that no branch, or more than one, accepts the value."""
        fitting = [part for part in wanted if self._ok(part, instance)]
        if not fitting:
            yield _error(f"{quoted(instance)} is not valid under any of the given schemas")
        elif len(fitting) > 1:
            parts = ", ".join(repr(part) for part in [*fitting[1:], fitting[0]])
            yield _error(f"{quoted(instance)} is valid under each of {parts}")

    def not_(self, _validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[Any]:
        """Word that a schema accepts the value, and must not."""
        if self._ok(wanted, instance):
            yield _error(f"{quoted(instance)} should not be valid under {wanted!r}")

    def if_(self, validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:
        """Word the refusal of `then` or `else`."""
        branch = "then" if self._ok(wanted, instance) else "else"
        if branch in schema:
            yield from validator.descend(instance, schema[branch])

    def enum(self, _validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[Any]:
        """Word that the value is none of those that are listed."""
        if not self._keyword_ok("enum", wanted, instance):
            yield _error(f"{quoted(instance)} is not one of {wanted!r}")

    def pattern(self, _validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[Any]:
        """Word that a text does not match."""
        if not self._keyword_ok("pattern", wanted, instance):
            yield _error(f"{quoted(instance)} does not match {wanted!r}")

    def unique_items(self, _validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[Any]:
        """Word that an element comes twice."""
        if not self._keyword_ok("uniqueItems", wanted, instance):
            yield _error(f"{quoted(instance)} has non-unique elements")


def _error(message: str) -> jsonschema.ValidationError:
    return jsonschema.ValidationError(message)


def _accepts(validator: Any, value: object) -> bool:
    try:
        return bool(validator.is_valid(value))
    except ValueError:  # it is too deep
        return False


def _pointed_at(document: object, pointer: str) -> object:
    """Return the part of a document at a JSON Pointer that starts with `#`; None if it is not there."""
    found = document
    for step in pointer.removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict):
            found = found.get(name)
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found
