"""Telemetry: the code emits a record for each event, and listeners such as the log receive it.

The records are in `queue_tool.model.events`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from types import NoneType
from typing import Any, ClassVar, get_args, get_type_hints


class Level(IntEnum):
    """The level of an event. The numbers are those of Python's `logging`."""

    UNLOGGED = 0  # no log has it: only listeners of its kind hear it
    DEBUG = 10  # details for debugging
    INFO = 20  # normal work
    WARNING = 30  # something is wrong, but the service continues by itself
    ERROR = 40  # a part of the service does not work


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The base class of all events.

    The docstring of a subclass says in one sentence what happened. The type of each field is
    `Annotated[type, "its meaning, with the unit"]`. The log leaves out
    fields that are None. The values are small, printable and free of secrets.
    """

    title: ClassVar[str]  # name of the event in the log
    level: ClassVar[Level] = Level.INFO


Listener = Callable[[Event], None]


class Telemetry:
    """Passes each event to every listener, in order, in the thread that emits it."""

    def __init__(self, *listeners: Listener, unheard: frozenset[type[Event]] = frozenset()) -> None:
        """Create the telemetry.

        Args:
            listeners: functions that receive each event.
            unheard: kinds of events that no listener needs.
        """
        self._listeners = listeners
        self._unheard = unheard
        self._of_kind: dict[type[Event], tuple[Callable[[Any], None], ...]] = {}

    def listen(self, listeners: Mapping[type[Event], Callable[[Any], None]]) -> None:
        """Add listeners that each receive one kind of event."""
        for kind, listener in listeners.items():
            self._of_kind[kind] = (*self._of_kind.get(kind, ()), listener)

    def hears(self, kind: type[Event]) -> bool:
        """Return whether a listener needs this kind of event.

        Check this before creating a record of an event that happens thousands of times per second.
        """
        if kind in self._of_kind:
            return True
        return bool(self._listeners) and kind not in self._unheard and kind.level is not Level.UNLOGGED

    def emit(self, event: Event) -> None:
        """Pass an event to every listener, and to those of its kind."""
        if event.level is not Level.UNLOGGED:
            for listener in self._listeners:
                listener(event)
        for listener in self._of_kind.get(type(event), ()):
            listener(event)


def fields(event: Event) -> dict[str, object]:
    """Return the fields of an event for the log: in order of declaration, without None, times in ISO 8601."""
    kind = type(event)
    if kind not in _names:
        _names[kind] = tuple(field.name for field in dataclasses.fields(kind))
    values = {name: getattr(event, name) for name in _names[kind]}
    return {name: _shown(value) for name, value in values.items() if value is not None}


_names: dict[type[Event], tuple[str, ...]] = {}
"""The names of the fields of each kind of event."""


def _shown(value: object) -> object:
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedField:
    """One field of an event, as the documentation shows it."""

    name: str
    type: type
    meaning: str  # with the unit
    optional: bool  # whether the log may leave it out


def described_fields(kind: type[Event]) -> Iterator[DescribedField]:
    """Return every field of a kind of event, in the order of the log.

    Raises:
        ValueError: a field has no meaning in its annotation.
    """
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        optional = NoneType in get_args(hint)
        value_type, meaning = get_args(get_args(hint)[0] if optional else hint)
        yield DescribedField(name=field.name, type=value_type, meaning=meaning, optional=optional)
