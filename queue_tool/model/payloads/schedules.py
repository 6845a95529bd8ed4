"""The bodies and answers of the routes of schedules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from queue_tool.model.payloads.fields import REFERENCE, Body, Count, Payload, Time, TypeName
from queue_tool.model.payloads.page import Page
from queue_tool.model.queues import Priority
from queue_tool.model.recurrence import LONGEST_CRON, LONGEST_INTERVAL, SHORTEST_INTERVAL
from queue_tool.model.schedule import (
    LONGEST_JITTER,
    CatchUp,
    Overlap,
    PausedBy,
    ScheduleStatus,
    TickCause,
    TickResult,
)

MOST_ELEMENTS = 1000
"""Elements of the batch that a tick sends."""

_WHEN = {"format": "date-time"}

Name = Annotated[
    str | None,
    Meta(description="The name of the schedule, for people. What it sends has the same name. At most 255 characters."),
]
CronText = Annotated[
    str | None,
    Meta(
        description="When it is due: minute, hour, day of the month, month, day of the week, as in a crontab; or "
        "`@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.",
        extra_json_schema={"maxLength": LONGEST_CRON},
    ),
]
Interval = Annotated[
    float | None,
    Meta(
        description="Seconds between two ticks.",
        extra_json_schema={"minimum": SHORTEST_INTERVAL, "maximum": LONGEST_INTERVAL},
    ),
]
Zone = Annotated[
    str, Meta(description="The time zone of the cron expression, as in the IANA database: `Europe/Lisbon`.")
]
Begin = Annotated[str | None, Meta(description="No tick is before this time (RFC 3339).", extra_json_schema=_WHEN)]
End = Annotated[str | None, Meta(description="No tick is after this time (RFC 3339).", extra_json_schema=_WHEN)]
Overlapping = Annotated[
    str,
    Meta(
        description="What a tick does while the task or batch of the tick before it is not finished: `queue` sends all "
        "the same, `skip` sends nothing.",
        extra_json_schema={"enum": [each.value for each in Overlap]},
    ),
]
CatchingUp = Annotated[
    str,
    Meta(
        description="What happens to ticks that were missed by more than a minute: `none` drops them, `once` sends the "
        "last one, `all` sends all of them, but at most the last hundred.",
        extra_json_schema={"enum": [each.value for each in CatchUp]},
    ),
]
Jitter = Annotated[
    float,
    Meta(
        description="Seconds by which each task is delayed at most, at random.",
        extra_json_schema={"minimum": 0, "maximum": LONGEST_JITTER},
    ),
]
_OF_TASKS = "As in `POST /tasks`, for each task that the schedule sends."


class ScheduleBody(Body, frozen=True, kw_only=True):
    """A schedule: what it sends, and when. It has either `cron` or `every`, and either `data` or `elements`."""

    task_type: TypeName
    data: Annotated[Any | UnsetType, Meta(description="The data of the task that each tick sends. Default: null.")] = (
        UNSET
    )
    elements: Annotated[
        list[Any] | UnsetType,
        Meta(
            description="Each tick sends a batch. This is the data of each of its tasks.",
            extra_json_schema={"minItems": 1, "maxItems": MOST_ELEMENTS, "items": {}},
        ),
    ] = UNSET
    name: Name = None
    cron: CronText = None
    every: Interval = None
    timezone: Zone = "UTC"
    start: Begin = None
    end: End = None
    overlap: Overlapping = Overlap.QUEUE.value
    catch_up: CatchingUp = CatchUp.ONCE.value
    jitter: Jitter = 0.0
    description: Annotated[str | None, Meta(description=_OF_TASKS)] = None
    parameters: Annotated[
        dict[str, Any] | None,
        Meta(description=_OF_TASKS, extra_json_schema={"$ref": f"{REFERENCE}Parameters"}),
    ] = None
    tags: Annotated[list[str] | None, Meta(description=_OF_TASKS)] = None
    priority: Annotated[Priority | None, Meta(description=_OF_TASKS)] = None
    timeout: Annotated[float | None, Meta(description=_OF_TASKS)] = None
    max_attempts: Annotated[int | None, Meta(description=_OF_TASKS)] = None


ScheduleId = Annotated[
    str, Meta(description="The id of the schedule.", extra_json_schema={"pattern": "^[0-9a-f]{32}$"})
]


class ScheduleSummary(Payload, frozen=True, kw_only=True):
    """A schedule."""

    id: ScheduleId
    name: Name
    status: Annotated[
        ScheduleStatus, Meta(description="`active`, `paused`, or `ended`: no tick is left before its end.")
    ]
    task_type: TypeName
    cron: CronText
    every: Interval
    timezone: Zone
    start: Annotated[Time | None, Meta(description="No tick is before this time, in UTC (RFC 3339); null if not set.")]
    end: Annotated[Time | None, Meta(description="No tick is after this time, in UTC (RFC 3339); null if not set.")]
    overlap: Annotated[Overlap, Meta(description="What a tick does while what the one before it sent is not finished.")]
    catch_up: Annotated[CatchUp, Meta(description="What happens to ticks that were missed by more than a minute.")]
    jitter: Jitter
    words: Annotated[str, Meta(description="When the schedule is due, in English.")]
    in_code: Annotated[
        bool, Meta(description="True if `@task(schedule=...)` declares it. Then it cannot be changed or deleted here.")
    ]
    version: Annotated[int | None, Meta(description="The version that the code declares; null if made with the API.")]
    created_at: Annotated[Time, Meta(description="When it was made, in UTC (RFC 3339).")]
    next_at: Annotated[
        Time | None, Meta(description="Its next tick, in UTC (RFC 3339); null while it is paused, and after its end.")
    ]
    last_at: Annotated[Time | None, Meta(description="Its last tick that was due, in UTC (RFC 3339); null before it.")]
    paused_at: Annotated[Time | None, Meta(description="When it was paused, in UTC (RFC 3339); null if it is not.")]
    paused_by: Annotated[
        PausedBy | None,
        Meta(
            description="What paused it: a `request`; or the `sweeper`, because no process has declared it for a day, "
            "or because its times cannot be known any more. Null if it is not paused."
        ),
    ]
    ticks: Annotated[Count, Meta(description="How many ticks it has made.")]


class ScheduleDetails(ScheduleSummary, frozen=True, kw_only=True):
    """A schedule with what it sends, and its next ticks."""

    request: Annotated[
        dict[str, Any],
        Meta(
            description="The task that each tick sends, as in `POST /tasks`. A batch has `elements` instead of `data`.",
            extra_json_schema={"additionalProperties": True},
        ),
    ]
    upcoming: Annotated[Sequence[Time], Meta(description="Its next ten ticks, in UTC (RFC 3339).")]


class SchedulePage(Page[ScheduleSummary], frozen=True, kw_only=True):
    """One page of schedules."""


class TickShown(Payload, frozen=True, kw_only=True):
    """One tick of a schedule."""

    number: Annotated[int, Meta(description="Counts the ticks of the schedule, from 1.")]
    at: Annotated[Time, Meta(description="When it was due, in UTC (RFC 3339).")]
    made_at: Annotated[Time, Meta(description="When it was made, in UTC (RFC 3339).")]
    cause: Annotated[
        TickCause,
        Meta(description="Why it was made: it was `due`; it was missed and came `late`; or a `request` ran it."),
    ]
    result: Annotated[
        TickResult,
        Meta(
            description="What it did: it has `sent` a task or a batch; it was `skipped`, because what the tick before "
            "it sent was not finished; it and all before it were `missed` and dropped; or the data were `refused`."
        ),
    ]
    token: Annotated[str | None, Meta(description="The token of the task that it has sent; null if none.")]
    batch: Annotated[str | None, Meta(description="The id of the batch that it has sent; null if none.")]
    error: Annotated[str | None, Meta(description="Why the data were refused; null if they were not.")]


class TickPage(Page[TickShown], frozen=True, kw_only=True):
    """One page of the last hundred ticks of a schedule."""
