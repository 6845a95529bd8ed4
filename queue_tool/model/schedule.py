"""A schedule: sends a task, or a batch, each time that it is due. Each of these times is a tick."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice, takewhile

from queue_tool.errors import BadSchedule
from queue_tool.model.queues import Lane, Priority
from queue_tool.model.recurrence import Recurrence, latest, recurrence_of

GRACE = timedelta(seconds=60)
"""How late a tick may be. Later ones count as missed."""

MOST_CAUGHT_UP = 100
"""The most missed ticks that `CatchUp.ALL` sends, the last ones."""

LONGEST_JITTER = 86_400
"""Seconds."""

MICROSECOND = timedelta(microseconds=1)


class Overlap(StrEnum):
    """What a tick does while what the tick before it has sent is not finished."""

    QUEUE = "queue"  # send all the same
    SKIP = "skip"  # send nothing


class CatchUp(StrEnum):
    """What happens to the ticks that were missed, because no sweeper ran for more than a minute."""

    NONE = "none"  # they are dropped
    ONCE = "once"  # the last one is sent
    ALL = "all"  # all are sent, but at most the last hundred


class ScheduleStatus(StrEnum):
    """Whether a schedule is due again."""

    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"  # its end is over


class PausedBy(StrEnum):
    """What paused a schedule."""

    REQUEST = "request"
    SWEEPER = "sweeper"  # it is declared in code, and no process has declared it for a day


class TickCause(StrEnum):
    """Why a tick was made."""

    DUE = "due"
    LATE = "late"  # it was missed
    REQUEST = "request"  # `POST /schedules/{schedule}/run`


class TickResult(StrEnum):
    """What a tick did."""

    SENT = "sent"
    SKIPPED = "skipped"  # what the tick before it has sent was not finished
    MISSED = "missed"  # it and all missed ticks before it were dropped
    REFUSED = "refused"  # the data no longer match the schema of the task type


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """When a schedule is due."""

    cron: str | None = None
    every: float | None = None  # seconds
    timezone: str = "UTC"
    start: datetime | None = None  # no tick before this time
    end: datetime | None = None  # no tick after this time
    overlap: Overlap = Overlap.QUEUE
    catch_up: CatchUp = CatchUp.ONCE
    jitter: float = 0.0  # seconds by which a task is delayed at most, at random

    def recurrence(self, created_at: datetime) -> Recurrence:
        """Return the times of a schedule, which begin at its start, or else after the given time.

        Raises:
            BadSchedule: it has no times.
        """
        return recurrence_of(self.cron, self.every, self.timezone, self.start or created_at)

    def next(self, after: datetime, created_at: datetime) -> datetime | None:
        """Return the first tick after a time; None if there is none.

        Raises:
            BadSchedule: it has no times.
        """
        begin = after if self.start is None or self.start <= after else self.start - MICROSECOND
        found = next(self.recurrence(created_at).after(begin), None)
        return None if found is None or (self.end is not None and found > self.end) else found

    def require_usable(self, now: datetime) -> datetime:
        """Return the first tick of a schedule that is made now.

        Raises:
            BadSchedule: it has no tick.
        """
        if not 0 <= self.jitter <= LONGEST_JITTER:
            raise BadSchedule(f"jitter must be a number of seconds from 0 to {LONGEST_JITTER}.")
        if self.start is not None and self.end is not None and self.start > self.end:
            raise BadSchedule("end must not be before start.")
        found = self.next(now, now)
        if found is None:
            raise BadSchedule("The schedule is never due.")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a schedule sends."""

    request: Mapping[str, object]  # a task request without its data
    data: object  # the data of the task; or those of each element of a batch
    is_batch: bool
    lane: Lane  # of the task type, for a process that does not know the type
    priority: Priority  # as well

    @property
    def name(self) -> str | None:
        """Return the name of the schedule, which its tasks and batches get too."""
        found = self.request.get("name")
        return found if isinstance(found, str) else None

    @property
    def task_type(self) -> str:
        """Return the name of the task type."""
        return str(self.request["task_type"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """Where the code declares a schedule."""

    task_type: str  # the type with `@task(schedule=...)`
    version: int  # a lower one never replaces a higher one


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A schedule, as the store has it."""

    id: str
    rhythm: Rhythm
    work: Work
    created_at: datetime
    revision: int  # grows with each change
    next_at: datetime | None  # the next tick; None while it is paused, and after its end
    last_at: datetime | None = None  # the last tick that was due
    paused_at: datetime | None = None
    paused_by: PausedBy | None = None
    declared: Declared | None = None  # None: it was made with the API
    last_token: str | None = None  # the task that it has sent last
    last_batch: str | None = None  # the batch that it has sent last
    ticks: int = 0  # how many it has made

    @property
    def status(self) -> ScheduleStatus:
        """Return whether it is due again."""
        if self.paused_at is not None:
            return ScheduleStatus.PAUSED
        return ScheduleStatus.ENDED if self.next_at is None else ScheduleStatus.ACTIVE

    def upcoming(self, count: int) -> list[datetime]:
        """Return its next ticks; none while it is paused, and after its end."""
        if self.next_at is None:
            return []
        later = self.rhythm.recurrence(self.created_at).after(self.next_at)
        return [self.next_at, *takewhile(self._is_before_end, islice(later, count - 1))]

    def _is_before_end(self, time: datetime) -> bool:
        return self.rhythm.end is None or time <= self.rhythm.end

    def delay(self, tick: datetime) -> timedelta:
        """Return by how much the work of a tick is delayed. It is the same each time that it is asked."""
        digest = hashlib.sha256(f"{self.id} {tick.isoformat()}".encode()).digest()
        return timedelta(seconds=self.rhythm.jitter * int.from_bytes(digest[:6]) / 2**48)


@dataclass(frozen=True, slots=True, kw_only=True)
class DueTick:
    """A tick to make."""

    at: datetime
    cause: TickCause


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What a schedule has to do now."""

    ticks: Sequence[DueTick]
    dropped: datetime | None  # the last of the missed ticks that are dropped
    next_at: datetime | None  # the tick after these
    last_at: datetime | None  # the last of all these ticks


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A tick that was made."""

    number: int  # counts the ticks of the schedule, from 1
    at: datetime  # when it was due
    made_at: datetime
    cause: TickCause
    result: TickResult
    token: str | None = None  # the task that it has sent
    batch: str | None = None  # the batch that it has sent
    error: str | None = None


def due(schedule: Schedule, now: datetime, most: int) -> Due:
    """Return the ticks that a schedule must make now.

    Args:
        schedule: the schedule. Its next tick is not after `now`.
        now: the present time.
        most: the most ticks. The others are due in the next pass.
    """
    first = schedule.next_at
    assert first is not None  # see above
    rhythm = schedule.rhythm
    recurrence = rhythm.recurrence(schedule.created_at)
    until = now if rhythm.end is None else min(now, rhythm.end)
    dropped, late = None, list[datetime]()
    if first < (limit := min(now - GRACE, until)):
        kept = {CatchUp.NONE: 0, CatchUp.ONCE: 1, CatchUp.ALL: MOST_CAUGHT_UP}[rhythm.catch_up]
        late = latest(recurrence, first, limit, kept + 1)
        after = late[-1]
        if len(late) > kept:
            dropped, *late = late
        recent = list(islice(takewhile(until.__ge__, recurrence.after(after)), most))
    else:
        recent = [first, *islice(takewhile(until.__ge__, recurrence.after(first)), most - 1)]
    ticks = [DueTick(at=at, cause=TickCause.LATE) for at in late]
    ticks += [DueTick(at=at, cause=TickCause.DUE) for at in recent]
    ticks = ticks[:most]
    last = ticks[-1].at if ticks else dropped or first
    return Due(ticks=ticks, dropped=dropped, next_at=rhythm.next(last, schedule.created_at), last_at=last)
