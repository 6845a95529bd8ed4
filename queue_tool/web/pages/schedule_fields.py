"""The fields of the form of a schedule: read into what the API takes, and filled from a schedule."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import UNSET

from queue_tool.errors import BadRequest, BadSchedule, QueueToolError
from queue_tool.model import json_text
from queue_tool.model.payloads.schedules import ScheduleBody
from queue_tool.model.queues import Priority
from queue_tool.model.schedule import CatchUp, Overlap, Rhythm, Schedule
from queue_tool.model.times import rfc3339
from queue_tool.web.pages.selecting import in_utc

UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
"""Seconds of each unit of an interval."""

NEW = {
    "rhythm": "cron",
    "cron": "0 6 * * *",
    "every": "15",
    "unit": "minutes",
    "timezone": "UTC",
    "overlap": Overlap.QUEUE.value,
    "catch_up": CatchUp.ONCE.value,
    "task_type": "sleep",
    "data": '{"item": "example", "valor": 1}',
}
"""The fields of a new schedule."""

RHYTHM = ("rhythm", "cron", "every", "unit", "timezone", "start", "end")
"""The fields that say when it is due."""

KNOWN = (
    *RHYTHM,
    *("name", "description", "task_type", "data", "is_batch", "overlap", "catch_up", "jitter"),
    *("tags", "priority", "timeout", "max_attempts", "parameters"),
)

LONGEST_TEXT = 4 * 2**20
"""Characters of a field."""


def known(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of the form, without spaces at their ends. Others are left out.

    Raises:
        BadRequest: a field contains a null character, or is too long.
    """
    texts = {name: fields[name].strip() for name in KNOWN if name in fields}
    for name, text in texts.items():
        if "\0" in text or len(text) > LONGEST_TEXT:
            raise BadRequest(f"The field {name} contains a null character, or is longer than {LONGEST_TEXT}.")
    return texts


def body_of(texts: Mapping[str, str]) -> ScheduleBody:
    """Return the schedule that the fields describe, as the API takes it.

    Raises:
        BadSchedule: a field cannot be used.
    """
    data: Any = _json("data", texts) if texts.get("data") else UNSET
    is_batch = bool(texts.get("is_batch"))
    if is_batch and not isinstance(data, list):
        raise BadSchedule("The data of a batch must be an array, with the data of each task.")
    parameters: Any = _json("parameters", texts) if texts.get("parameters") else None
    if not isinstance(parameters, dict | None):
        raise BadSchedule("The parameters must be an object.")
    return ScheduleBody(
        task_type=texts.get("task_type", ""),
        name=texts.get("name") or None,
        description=texts.get("description") or None,
        overlap=texts.get("overlap") or Overlap.QUEUE,
        catch_up=texts.get("catch_up") or CatchUp.ONCE,
        jitter=_number("jitter", texts) or 0.0,
        tags=[tag.strip() for tag in texts.get("tags", "").splitlines() if tag.strip()] or None,
        priority=_priority(texts),
        timeout=_number("timeout", texts),
        max_attempts=_whole_number("max_attempts", texts),
        parameters=parameters,
        **{"elements" if is_batch else "data": data},
        **rhythm_of(texts),
    )


def rhythm_of(texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the keys of a schedule that say when it is due.

    Raises:
        BadSchedule: the interval is no number.
    """
    times = {name: in_utc(texts[name]) if texts.get(name) else None for name in ("start", "end")}
    if texts.get("rhythm") != "every":
        return {"cron": texts.get("cron", ""), "timezone": texts.get("timezone") or "UTC", **times}
    number, unit = _number("every", texts), texts.get("unit", "seconds")
    if number is None or unit not in UNITS:
        raise BadSchedule(f"every must be a number, and its unit one of {', '.join(UNITS)}.")
    return {"every": number * UNITS[unit], **times}


def _number(name: str, texts: Mapping[str, str]) -> float | None:
    text = texts.get(name, "")
    try:
        found = float(text.replace(",", ".")) if text else None
    except ValueError:
        found = math.nan
    if found is not None and not math.isfinite(found):
        raise BadSchedule(f"{name} must be a number, not {text[:40]!r}.")
    return found


def _whole_number(name: str, texts: Mapping[str, str]) -> int | None:
    found = _number(name, texts)
    if found is not None and not found.is_integer():
        raise BadSchedule(f"{name} must be a whole number.")
    return None if found is None else int(found)


def _priority(texts: Mapping[str, str]) -> Priority | None:
    text = texts.get("priority")
    if text and text not in list(Priority):
        raise BadSchedule(f"priority must be one of {', '.join(Priority)}, not {text[:40]!r}.")
    return Priority(text) if text else None


def _json(name: str, texts: Mapping[str, str]) -> object:
    try:
        return json_text.loads(texts[name])
    except QueueToolError as error:
        raise BadSchedule(f"{name}: {error.sentence.replace('The body', 'The text')}") from None


def texts_of(schedule: Schedule) -> dict[str, str]:
    """Return the fields that describe a schedule."""
    rhythm, request, data = schedule.rhythm, schedule.work.request, schedule.work.data
    tags, parameters = request.get("tags"), request.get("parameters")
    return (
        NEW
        | {name: value for name, value in request.items() if isinstance(value, str)}
        | {name: plain(value) for name, value in request.items() if isinstance(value, int | float)}
        | _texts_of_rhythm(rhythm)
        | {
            "overlap": rhythm.overlap.value,
            "catch_up": rhythm.catch_up.value,
            "jitter": plain(rhythm.jitter) if rhythm.jitter else "",
            "data": _indented(data),
            "is_batch": "yes" if schedule.work.is_batch else "",
            "tags": "\n".join(map(str, tags)) if isinstance(tags, list) else "",
            "parameters": _indented(parameters) if parameters else "",
        }
    )


def _texts_of_rhythm(rhythm: Rhythm) -> dict[str, str]:
    times = {"timezone": rhythm.timezone, "start": _local(rhythm.start), "end": _local(rhythm.end)}
    if rhythm.every is None:
        return times | {"rhythm": "cron", "cron": rhythm.cron or ""}
    unit = next(name for name, seconds in reversed(UNITS.items()) if rhythm.every % seconds == 0 or seconds == 1)
    return times | {"rhythm": "every", "every": plain(rhythm.every / UNITS[unit]), "unit": unit}


def plain(number: float) -> str:
    """Return a number as somebody writes it: a whole one without a decimal point."""
    return str(int(number)) if float(number).is_integer() else repr(number)


def _local(time: datetime | None) -> str:
    """Return a time for a field of a form. Such a field has no time zone, and no parts of a second."""
    if time is None:
        return ""
    return rfc3339(time) if time.microsecond else rfc3339(time)[:19]


def _indented(value: object) -> str:
    try:
        return json.dumps(value, indent=2, ensure_ascii=False)
    except RecursionError:
        return json_text.dumps(value).decode()
