"""A task before it is stored: its data, its options, and what follows when it has ended.

The three classes stand in one module, because they refer to each other: an option is what follows, and that is a task.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from queue_tool.model.continuation import When
from queue_tool.model.queues import Priority
from queue_tool.model.task import AT_ONCE, Timing
from queue_tool.model.task_types import TaskType
from queue_tool.model.ticket import Ticket


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options of one task. An option that is None takes its value from the task type or the settings.

    It is a struct, because a batch of 10,000 may need 10,000 of them, and a dataclass takes ten times longer to make.
    """

    name: str | None = None  # for people
    custom_id: str | None = None  # the client's own id of the task
    description: str | None = None
    parameters: str | None = None  # JSON text of an object; the function reads it as `context.parameters`
    tags: tuple[str, ...] = ()
    priority: Priority | None = None
    timeout: float | None = None  # seconds; 0: no limit
    max_attempts: int | None = None
    unique_key: str | None = None  # at most one unfinished task per type may use this key
    webhook: str | None = None  # the URL that is told when the task ends
    timing: Timing = AT_ONCE
    on_finished: tuple[Continuation, ...] = ()  # what follows when the task has ended

    def must_wait(self, now: datetime) -> bool:
        """Return whether the task must not start yet."""
        return self.timing.due_at is not None and self.timing.due_at > now

    @property
    def has_rows(self) -> bool:
        """Return whether the task has more than its own row: tags, or what follows when it ends."""
        return bool(self.tags or self.on_finished or self.webhook)


PLAIN = Options()
"""No option set."""


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """An element that became a task.

    It is a struct, because a request may need 100,000 of them, and a dataclass takes ten times longer to make.
    """

    index: int  # position in the batch, from 0
    token: str
    data: object
    custom_id: str | None = None


class NewTask(Accepted, frozen=True, kw_only=True):
    """An accepted element before it is stored."""

    task_type: TaskType
    options: Options = PLAIN

    @property
    def priority(self) -> Priority:
        """Return the task's priority: that of its options, or else that of its type."""
        return self.options.priority or self.task_type.priority

    @property
    def list(self) -> str:
        """Return the name of the RQ queue for the task's ticket."""
        return self.task_type.lane.list_of(self.priority.queue)

    @property
    def ticket(self) -> Ticket:
        """Return the ticket of the first run."""
        return Ticket(token=self.token, run=1, list=self.list, task_type=self.task_type.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """A task that a client declared together with its parent. Nothing of it depends on the task types any more."""

    when: When
    task: NewTask  # without a token; each end of the parent makes a new task
    delay: float | None = None  # seconds from the end of the parent to the time when the task is due
