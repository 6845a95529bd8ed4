"""What a schedule sends, as a client or a task type describes it: checked, and read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from msgspec import UNSET

from queue_tool.errors import BadSchedule, BadTask
from queue_tool.model import json_text
from queue_tool.model.batch import Refused
from queue_tool.model.payloads.schedules import MOST_ELEMENTS, ScheduleBody
from queue_tool.model.schedule import Work
from queue_tool.model.schedule_rhythm import ANY_TIME
from queue_tool.model.task_request import Requests
from queue_tool.model.task_types import TaskType

OPTIONS = ("name", "description", "parameters", "tags", "priority", "timeout", "max_attempts")
"""The keys that go into each task request."""

LONGEST_DATA = 2**20
"""Bytes of the data, as JSON."""


def read_work(body: ScheduleBody, types: Mapping[str, TaskType], *, is_judged: bool = True) -> Work:
    """Return what a schedule sends.

    Args:
        body: the schedule.
        types: the task types.
        is_judged: whether the data is checked against the schema of its type. Otherwise the type must be known.

    Raises:
        BadSchedule: it has data and elements, or too many of them.
        BadTask: a task of it would be refused, with the same reasons.
    """
    is_batch = body.elements is not UNSET
    if is_batch and body.data is not UNSET:
        raise BadSchedule("A schedule has either data or elements.")
    if is_batch and not 1 <= len(body.elements) <= MOST_ELEMENTS:  # type: ignore[arg-type] # it is not UNSET
        raise BadSchedule(f"elements must have 1 to {MOST_ELEMENTS} elements.")
    data: Any = body.elements if is_batch else None if body.data is UNSET else body.data
    if (size := len(json_text.dumps(data))) > LONGEST_DATA:
        raise BadSchedule(f"The data has {size} bytes as JSON; the limit is {LONGEST_DATA}.")
    options = {name: value for name in OPTIONS if (value := getattr(body, name)) is not None}
    request = {"task_type": body.task_type, **options}
    if is_judged:
        _judge(request, data, types, is_batch=is_batch)
    kind = types[body.task_type]
    return Work(request=request, data=data, is_batch=is_batch, lane=kind.lane, priority=body.priority or kind.priority)


def _judge(request: Mapping[str, object], data: Any, types: Mapping[str, TaskType], *, is_batch: bool) -> None:
    """Check the tasks that a schedule sends.

    Raises:
        BadTask: one would be refused.
    """
    judge = Requests(types=types, now=ANY_TIME)
    for index, value in enumerate(data if is_batch else [data]):
        judged = judge({**request, "data": value}, index, "")
        if isinstance(judged, Refused):
            place = f"/elements/{index}" if is_batch else "/data"
            raise BadTask.because([asdict(error) | {"path": _moved(error.path, place)} for error in judged.errors])


def _moved(path: str, place: str) -> str:
    """Return the path of an error in the body of a schedule."""
    return path.replace("/data", place, 1) if f"{path}/".startswith("/data/") else path
