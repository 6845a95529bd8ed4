"""When a schedule is due, as a client or a task type describes it: checked, and read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

import msgspec

from queue_tool.errors import BadSchedule
from queue_tool.model.payloads.schedules import ScheduleBody
from queue_tool.model.schedule import CatchUp, Overlap, Rhythm
from queue_tool.model.times import read_time
from queue_tool.model.typed import convert

ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)

Word = TypeVar("Word", bound=StrEnum)


def read_rhythm(body: ScheduleBody) -> Rhythm:
    """Return when a schedule is due.

    Raises:
        BadSchedule: a value cannot be used.
    """
    rhythm = Rhythm(
        cron=body.cron,
        every=body.every,
        timezone=body.timezone,
        start=_time("start", body.start),
        end=_time("end", body.end),
        overlap=_word("overlap", body.overlap, Overlap),
        catch_up=_word("catch_up", body.catch_up, CatchUp),
        jitter=body.jitter,
    )
    rhythm.recurrence(ANY_TIME)
    return rhythm


def body_of(task_type: str, declared: str | Mapping[str, object]) -> tuple[ScheduleBody, int]:
    """Return the schedule that `@task(schedule=...)` declares, and its version.

    Args:
        task_type: the name of the task type.
        declared: the value of the option: a cron expression, or the keys of a schedule and its version.

    Raises:
        BadSchedule: it is none.
    """
    given = {"cron": declared} if isinstance(declared, str) else dict(declared)
    version = given.pop("version", 0)
    if type(version) is not int or not 0 <= version < 2**31:
        raise BadSchedule("version must be a whole number from 0 on.")
    try:
        return convert({"name": task_type, **given, "task_type": task_type}, ScheduleBody), version
    except (msgspec.ValidationError, TypeError) as error:
        known = [name for name in ScheduleBody.__struct_fields__ if name != "task_type"]
        raise BadSchedule(f"{str(error)[:200]}. The keys are {', '.join(known)}, version.") from None


def _time(name: str, text: str | None) -> datetime | None:
    try:
        return None if text is None else read_time(text)
    except ValueError as error:
        raise BadSchedule(f"{name}: {error}") from None


def _word(name: str, text: str, words: type[Word]) -> Word:
    if text not in list(words):
        raise BadSchedule(f"{name} must be one of {', '.join(words)}, not {text[:40]!r}.")
    return words(text)
