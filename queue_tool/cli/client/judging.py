"""Judging elements before they are sent, as the service does, with the schemas that it shows. Nothing is stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from queue_tool.errors import BadRequest
from queue_tool.model.batch import Judge, Refused, judge_of
from queue_tool.model.payloads.lists import TaskType as ShownType
from queue_tool.model.schema import FieldError, Schema
from queue_tool.model.task_request import Requests
from queue_tool.model.task_types import TaskType


def types_of(shown: Iterable[ShownType]) -> Mapping[str, TaskType]:
    """Return the task types of the service. Their functions cannot be called."""
    return {
        kind.name: TaskType(name=kind.name, function=_elsewhere, schema=Schema(kind.schema), lane=kind.lane)
        for kind in shown
    }


def _elsewhere(_: object) -> None:
    raise NotImplementedError


def type_of(types: Mapping[str, TaskType], name: str) -> TaskType:
    """Return the task type with this name.

    Raises:
        BadRequest: the service has none.
    """
    if name not in types:
        raise BadRequest(f"There is no task type {name!r}. The service has: {', '.join(types)}.")
    return types[name]


def judged(
    elements: Iterable[object], types: Mapping[str, TaskType], task_type: str | None
) -> Iterator[tuple[int, tuple[FieldError, ...]]]:
    """Iterate over all elements: the index of each, and why the service would refuse it; without reasons if not.

    Args:
        elements: what would be sent.
        types: the task types of the service.
        task_type: the task type of all elements, which are its data; None: they are task objects.
    """
    judge: Judge = (
        Requests(types=types, now=datetime.now(UTC)) if task_type is None else judge_of(type_of(types, task_type))
    )
    for index, element in enumerate(elements):
        found = judge(element, index, "")
        yield index, found.errors if isinstance(found, Refused) else ()
