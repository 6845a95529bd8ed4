"""Telemetry: what happens is told as a record, and logs (later metrics) only listen.

The records themselves are in `queue_tool.model.events`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from types import NoneType
from typing import ClassVar, get_args, get_type_hints


class Level(IntEnum):
    """How much an event matters. The numbers are those of Python's `logging`."""

    DEBUG = 10  # for those who search for something
    INFO = 20  # part of normal work
    WARNING = 30  # not as it should be, but the service goes on by itself
    ERROR = 40  # a part of the service does not work now


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened: the base of every record that is told.

    The docstring of a subclass says in one sentence what happened. The type of each field is
    `Annotated[type, "its meaning, with the unit"]`. A field that may be None is left out of the log when it is.
    The values are small, printable and free of secrets.
    """

    title: ClassVar[str]  # what the log calls it
    level: ClassVar[Level] = Level.INFO


Listener = Callable[[Event], None]


class Telemetry:
    """Passes each event to every listener, in order, in the thread in which it happened."""

    def __init__(self, *listeners: Listener, unheard: frozenset[type[Event]] = frozenset()) -> None:
        """Keep the listeners, and the kinds of events that none of them cares for."""
        self._listeners = listeners
        self._unheard = unheard

    def hears(self, kind: type[Event]) -> bool:
        """Tell whether anybody cares; ask before a record is made of what happens thousands of times a second."""
        return bool(self._listeners) and kind not in self._unheard

    def emit(self, event: Event) -> None:
        """Say that something happened."""
        for listener in self._listeners:
            listener(event)


def fields(event: Event) -> dict[str, object]:
    """Return the fields of an event as a log shows them: in their order, without None, times in ISO 8601."""
    values = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
    return {name: _shown(value) for name, value in values.items() if value is not None}


def _shown(value: object) -> object:
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedField:
    """One field of an event, for people."""

    name: str
    type: type
    meaning: str  # with the unit
    optional: bool  # whether it may be missing in the log


def described_fields(kind: type[Event]) -> Iterator[DescribedField]:
    """Return every field of a kind of event, in the order of the log.

    Raises:
        ValueError: a field has no meaning.
    """
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        optional = NoneType in get_args(hint)
        value_type, meaning = get_args(get_args(hint)[0] if optional else hint)
        yield DescribedField(name=field.name, type=value_type, meaning=meaning, optional=optional)
