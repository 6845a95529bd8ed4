"""Filters: select tasks by their properties instead of their tokens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from queue_tool.model.queues import Priority
from queue_tool.model.states import Code, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Selects the tasks that match every field that is set."""

    states: frozenset[State] = frozenset()  # any of these states; empty: all states
    batch: str | None = None
    task_type: str | None = None
    tag: str | None = None
    priority: Priority | None = None
    code: Code | None = None
    worker: str | None = None  # name of the last worker that ran the task
    host: str | None = None  # host of that worker
    custom_id: str | None = None  # exactly this one
    prefix: str | None = None  # the start of the name, the custom id or the token
    token_prefix: str | None = None  # the start of the token
    created_after: datetime | None = None
    created_before: datetime | None = None
    ended_before: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Return whether the filter selects all tasks."""
        return self == Filter()

    @property
    def limits_creation_time(self) -> bool:
        """Return whether the filter limits when tasks were submitted."""
        return self.created_after is not None or self.created_before is not None
