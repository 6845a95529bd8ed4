"""What lists and the details page show about a task, in addition to its status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from queue_tool.model.continuation import ShownContinuation
from queue_tool.model.outcome import Attempt
from queue_tool.model.queues import Priority
from queue_tool.model.task import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary(Status):
    """A task in a list."""

    name: str | None
    custom_id: str | None
    tags: tuple[str, ...]
    priority: Priority
    due_at: datetime | None
    expires_at: datetime | None
    worker: str | None  # name of the last worker that ran it; None if no worker has, or its row was removed
    host: str | None  # the host of that worker


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCounts:
    """How many tasks wait and run in a queue, summed over its lanes."""

    priority: Priority
    waiting: int
    oldest: datetime | None  # submission time of the task that has waited longest; None if no task waits
    running: int
    paused_at: datetime | None  # None: not paused


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementResult:
    """The result of one element of a batch."""

    index: int
    custom_id: str | None
    item: object
    token: str | None  # None if the element was refused
    status: str  # a state, or "rejected"
    result: str | None  # JSON text
    error: Mapping[str, object] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One log line of a run."""

    run: int
    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Details(Summary):
    """Everything that is known about a task."""

    index: int  # position in the request's array
    description: str | None
    parameters: str | None  # JSON text of an object
    unique_key: str | None
    timeout: float | None  # as submitted; None: the value of the task type
    max_attempts: int | None  # as submitted; None: the value of the task type
    losses: int  # processes that died while they ran the task
    attempts: tuple[Attempt, ...]  # the attempts that did not succeed, oldest first
    lines: tuple[Line, ...]  # the last lines of its log
    on_finished: Sequence[ShownContinuation] = ()  # its continuations
    parent: str | None = None  # the batch or task that it follows: see `model.continuation`
    webhook: str | None = None  # the URL that is told when the task ends
