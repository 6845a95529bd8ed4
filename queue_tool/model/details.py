"""What lists and details say of a task, beside what its status says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from queue_tool.model.outcome import Attempt
from queue_tool.model.queues import Priority
from queue_tool.model.task import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary(Status):
    """A task as a list shows it."""

    name: str | None
    custom_id: str | None
    tags: tuple[str, ...]
    priority: Priority
    due_at: datetime | None
    expires_at: datetime | None
    worker: str | None  # the name of the worker that ran it last; None where none has, or nobody knows it any more
    host: str | None  # that worker's


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCounts:
    """How much waits and runs in a queue, its lanes summed."""

    priority: Priority
    waiting: int
    oldest: datetime | None  # when the task was sent that has waited for longest; None where none waits
    running: int
    paused_at: datetime | None  # None: it is not paused


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementResult:
    """What became of one element of a batch."""

    index: int
    custom_id: str | None
    item: object
    token: str | None  # None for one that was refused
    status: str  # a state, or "rejected"
    result: str | None  # JSON text
    error: Mapping[str, object] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a run's own log."""

    run: int
    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Details(Summary):
    """All that is known of a task."""

    index: int  # in the array that was sent
    description: str | None
    parameters: str | None  # JSON text of an object
    unique_key: str | None
    timeout: float | None  # as it was said; None: its type's
    max_attempts: int | None  # as it was said; None: its type's
    run: int
    losses: int  # workers that died under it
    attempts: tuple[Attempt, ...]  # those that did not succeed, the first one first
    lines: tuple[Line, ...]  # the last ones of its log
