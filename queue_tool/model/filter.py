"""Filters: which tasks are meant, where nobody wants to name each token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from queue_tool.model.queues import Priority
from queue_tool.model.states import Code, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Tasks that satisfy all of what is said; what is not said is anything."""

    states: frozenset[State] = frozenset()  # one of these; none: any
    batch: str | None = None
    task_type: str | None = None
    tag: str | None = None
    priority: Priority | None = None
    code: Code | None = None
    worker: str | None = None  # the name of the worker that ran it last
    host: str | None = None  # that worker's
    prefix: str | None = None  # with which its name, its custom id or its token begins
    created_after: datetime | None = None
    created_before: datetime | None = None
    ended_before: datetime | None = None

    @property
    def is_of_a_time(self) -> bool:
        """Tell whether it means tasks that were sent at certain times."""
        return self.created_after is not None or self.created_before is not None
