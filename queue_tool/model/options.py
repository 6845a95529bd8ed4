"""Options: what a client may say of a task beside its type and its data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from queue_tool.model.queues import Priority
from queue_tool.model.task import AT_ONCE, Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is said of one task; what is not said is as its type or the settings have it."""

    name: str | None = None  # for people
    custom_id: str | None = None  # the client's own id of it
    description: str | None = None
    parameters: str | None = None  # JSON text of an object; its function reads it in `context.parameters`
    tags: tuple[str, ...] = ()
    priority: Priority | None = None
    timeout: float | None = None  # seconds; 0 is no limit
    max_attempts: int | None = None
    unique_key: str | None = None  # of the tasks of one type that have not ended only one has it
    timing: Timing = AT_ONCE

    def must_wait(self, now: datetime) -> bool:
        """Tell whether the task is not to be done yet."""
        return self.timing.due_at is not None and self.timing.due_at > now


PLAIN = Options()
"""Nothing said."""
