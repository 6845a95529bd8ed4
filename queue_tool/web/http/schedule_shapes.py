"""Schedules as answers and pages show them."""

from __future__ import annotations

from msgspec import structs

from queue_tool.errors import BadSchedule
from queue_tool.model import schedule as model
from queue_tool.model.payloads.schedules import ScheduleDetails, ScheduleSummary, TickShown
from queue_tool.model.times import rfc3339
from queue_tool.web.http.answers import rfc3339_or_none

UPCOMING = 10
"""The next ticks that are shown."""


def summary(found: model.Schedule) -> ScheduleSummary:
    """Return a schedule as a list shows it."""
    rhythm = found.rhythm
    return ScheduleSummary(
        id=found.id,
        name=found.work.name,
        status=found.status,
        task_type=found.work.task_type,
        cron=rhythm.cron,
        every=rhythm.every,
        timezone=rhythm.timezone,
        start=rfc3339_or_none(rhythm.start),
        end=rfc3339_or_none(rhythm.end),
        overlap=rhythm.overlap,
        catch_up=rhythm.catch_up,
        jitter=rhythm.jitter,
        words=_words(found),
        in_code=found.declared is not None,
        version=found.declared.version if found.declared else None,
        created_at=rfc3339(found.created_at),
        next_at=rfc3339_or_none(found.next_at),
        last_at=rfc3339_or_none(found.last_at),
        paused_at=rfc3339_or_none(found.paused_at),
        paused_by=found.paused_by,
        ticks=found.ticks,
    )


def _words(found: model.Schedule) -> str:
    try:
        return found.rhythm.recurrence(found.created_at).words
    except BadSchedule as error:  # for example, this machine does not know its time zone
        return error.sentence


def details(found: model.Schedule) -> ScheduleDetails:
    """Return a schedule with what it sends, and its next ticks."""
    key = "elements" if found.work.is_batch else "data"
    return ScheduleDetails(
        **structs.asdict(summary(found)),
        request={**found.work.request, key: found.work.data},
        upcoming=[rfc3339(time) for time in found.upcoming(UPCOMING)],
    )


def tick(made: model.Tick) -> TickShown:
    """Return a tick."""
    return TickShown(
        number=made.number,
        at=rfc3339(made.at),
        made_at=rfc3339(made.made_at),
        cause=made.cause,
        result=made.result,
        token=made.token,
        batch=made.batch,
        error=made.error,
    )
