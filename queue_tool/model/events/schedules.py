"""Schedules: they are made, changed, paused and removed, and their ticks send tasks and batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from queue_tool.model.events.shared import Reason, TypeName
from queue_tool.model.telemetry import Event, Level

ScheduleId = Annotated[str, "the id of the schedule"]
Time = Annotated[str, "when the tick was due"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleMade(Event):
    """A new schedule is on disk."""

    title = "schedule made"
    schedule: ScheduleId
    task_type: TypeName


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleChanged(Event):
    """A request changed a schedule."""

    title = "schedule changed"
    schedule: ScheduleId


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulePaused(Event):
    """A schedule was paused: no tick of it is due until it is resumed."""

    title = "schedule paused"
    schedule: ScheduleId
    by: Annotated[str, "what paused it: `request` or `sweeper`"]
    reason: Annotated[str, "why the sweeper paused it"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleResumed(Event):
    """A schedule was resumed: its ticks are due again."""

    title = "schedule resumed"
    schedule: ScheduleId


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRemoved(Event):
    """A request removed a schedule. What it has sent stays."""

    title = "schedule removed"
    schedule: ScheduleId


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDeclared(Event):
    """A process started whose code declares a schedule that is new, has changed, or was paused as forgotten."""

    title = "schedule declared"
    task_type: TypeName
    change: Annotated[str, "what was done: `made`, `changed` or `resumed`"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked(Event):
    """A tick of a schedule was made."""

    title = "tick"
    schedule: ScheduleId
    at: Time
    result: Annotated[str, "what it did: `sent`, `skipped` or `missed`"]
    task_type: TypeName
    tasks: Annotated[int, "tasks that it has sent"] = 0
    rejected: Annotated[int, "refused elements of the batch that it has sent"] = 0
    token: Annotated[str, "the token of the task that it has sent"] | None = None
    batch: Annotated[str, "the id of the batch that it has sent"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TickRefused(Event):
    """A tick of a schedule sent nothing, because its data no longer match the schema of the task type."""

    title = "tick refused"
    level = Level.WARNING
    schedule: ScheduleId
    at: Time
    reason: Reason
