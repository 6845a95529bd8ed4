"""Events: each class documents itself, because `docs/events.md` and the log are made from it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import pytest

from queue_tool.model import events
from queue_tool.model.events import EVENTS
from queue_tool.model.states import State
from queue_tool.model.telemetry import DescribedField, Event, described_fields

IN_EVERY_LINE = {"time", "level", "process", "event"}
"""The keys that a JSON log line has for each event, apart from its fields."""


def test_every_event_has_a_unique_title() -> None:
    assert len({kind.title for kind in EVENTS}) == len(EVENTS)


def test_every_event_can_be_imported_from_one_place() -> None:
    assert all(getattr(events, kind.__name__) is kind for kind in EVENTS)


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_an_event_describes_itself_in_a_sentence(kind: type[Event]) -> None:
    assert kind.__doc__ is not None
    assert not kind.__doc__.startswith(f"{kind.__name__}("), "this is the default docstring of a dataclass"
    assert kind.__doc__.partition("\n\n")[0].endswith(".")


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_every_field_of_an_event_has_a_meaning(kind: type[Event]) -> None:
    assert all(field.meaning for field in described_fields(kind))


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_no_field_has_the_name_of_a_key_of_every_log_line(kind: type[Event]) -> None:
    assert not IN_EVERY_LINE & {field.name for field in described_fields(kind)}


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_an_event_is_slotted_and_keyword_only(kind: type[Event]) -> None:
    assert "__slots__" in vars(kind)
    assert all(field.kw_only for field in dataclasses.fields(kind))


def test_a_field_is_described_by_its_type_its_meaning_and_whether_it_is_optional() -> None:
    assert list(described_fields(Example)) == [
        DescribedField(name="path", type=Path, meaning="where it is", optional=False),
        DescribedField(name="status", type=State, meaning="its state", optional=True),
    ]


def test_a_field_without_a_meaning_is_refused() -> None:
    with pytest.raises(ValueError, match="unpack"):
        list(described_fields(Silent))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Example(Event):
    """An example."""

    title = "example"
    path: Annotated[Path, "where it is"]
    status: Annotated[State, "its state"] | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Silent(Event):
    """An event whose field has no meaning."""

    title = "silent"
    count: int
