"""Filters: which tasks are meant, where nobody wants to name each token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from queue_tool.tasks import Code, Priority, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Tasks that satisfy all of what is said; what is not said is anything."""

    states: frozenset[State] = frozenset()  # one of these; none: any
    batch: str | None = None
    task_type: str | None = None
    priority: Priority | None = None
    code: Code | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    ended_before: datetime | None = None
