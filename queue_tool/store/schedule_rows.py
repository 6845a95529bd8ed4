"""Schedules and ticks as rows of their tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, select

from queue_tool.model import json_text
from queue_tool.model.queues import Lane, Priority
from queue_tool.model.schedule import (
    CatchUp,
    Declared,
    Overlap,
    PausedBy,
    Rhythm,
    Schedule,
    Tick,
    TickCause,
    TickResult,
    Work,
)
from queue_tool.store.engine.clock import database_now
from queue_tool.store.engine.database import micros, micros_or_none, moment, moment_or_none
from queue_tool.store.schedule_tables import schedules

NOW = database_now(bindparam("now", type_=BigInteger))
"""The present time. The parameter is the caller's time."""


def time_of(connection: Connection, now: datetime) -> datetime:
    """Return the time by which ticks are due.

    Args:
        connection: a connection.
        now: the caller's time.
    """
    found: int = connection.execute(select(NOW), {"now": micros(now)}).scalar_one()
    return moment(found)


def columns_of(new: Schedule) -> dict[str, Any]:
    """Return the columns that say what a schedule sends, and when."""
    work, rhythm = new.work, new.rhythm
    return {
        "request": json_text.dumps(work.request).decode(),
        "data": json_text.dumps(work.data).decode(),
        "is_batch": int(work.is_batch),
        "lane": work.lane.value,
        "priority": work.priority.value,
        "cron": rhythm.cron,
        "every": rhythm.every,
        "timezone": rhythm.timezone,
        "start_at": micros_or_none(rhythm.start),
        "end_at": micros_or_none(rhythm.end),
        "overlap": rhythm.overlap.value,
        "catch_up": rhythm.catch_up.value,
        "jitter": rhythm.jitter,
        "next_at": micros_or_none(new.next_at),
    }


def row_of(new: Schedule) -> dict[str, Any]:
    """Return the row of a new schedule."""
    declared = new.declared
    return columns_of(new) | {
        "public_id": new.id,
        "declared_as": declared and declared.task_type,
        "version": declared and declared.version,
        "declared_at": declared and micros(new.created_at),
        "revision": new.revision,
        "ticks": 0,
        "created_at": micros(new.created_at),
    }


def resumed(next_at: datetime | None) -> dict[str, Any]:
    """Return the columns that resume a schedule."""
    return {
        "paused_at": None,
        "paused_by": None,
        "next_at": micros_or_none(next_at),
        "revision": schedules.c.revision + 1,
    }


def schedule_of(row: Any) -> Schedule:
    """Return the schedule of a row."""
    return Schedule(
        id=row.public_id,
        rhythm=_rhythm_of(row),
        work=_work_of(row),
        created_at=moment(row.created_at),
        revision=row.revision,
        next_at=moment_or_none(row.next_at),
        last_at=moment_or_none(row.last_at),
        paused_at=moment_or_none(row.paused_at),
        paused_by=None if row.paused_by is None else PausedBy(row.paused_by),
        declared=None if row.declared_as is None else Declared(task_type=row.declared_as, version=row.version),
        last_token=row.last_token,
        last_batch=row.last_batch,
        ticks=row.ticks,
    )


def _rhythm_of(row: Any) -> Rhythm:
    return Rhythm(
        cron=row.cron,
        every=row.every,
        timezone=row.timezone,
        start=moment_or_none(row.start_at),
        end=moment_or_none(row.end_at),
        overlap=Overlap(row.overlap),
        catch_up=CatchUp(row.catch_up),
        jitter=row.jitter,
    )


def _work_of(row: Any) -> Work:
    request = json_text.loads(row.request)
    assert isinstance(request, dict)  # `columns_of` writes it so
    return Work(
        request=request,
        data=json_text.loads(row.data),
        is_batch=bool(row.is_batch),
        lane=Lane(row.lane),
        priority=Priority(row.priority),
    )


def tick_of(row: Any) -> Tick:
    """Return the tick of a row."""
    return Tick(
        number=row.number,
        at=moment(row.at),
        made_at=moment(row.made_at),
        cause=TickCause(row.cause),
        result=TickResult(row.result),
        token=row.token,
        batch=row.batch,
        error=row.error,
    )
