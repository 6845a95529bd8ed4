"""Options: what a client may set for a task, in addition to its type and its data."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from queue_tool.model.queues import Priority
from queue_tool.model.task import AT_ONCE, Timing

if TYPE_CHECKING:
    from queue_tool.model.continuation import Continuation


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
