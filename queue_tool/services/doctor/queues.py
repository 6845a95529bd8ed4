"""The check of the queues: how long tasks wait, and which queues are paused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from queue_tool.model.details import QueueCounts
from queue_tool.services.doctor.finding import Finding, ok, warning
from queue_tool.store import Store

LONG = 300.0
"""Seconds of waiting from which on it is a warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuesCheck:
    """Looks at the tasks that wait."""

    store: Store
    now: datetime
    name: str = "queues"

    def __call__(self) -> Iterator[Finding]:
        """Return a finding for each queue with waiting tasks.

        Raises:
            StoreAway: the database cannot be reached.
        """
        found = [self._of(queue) for queue in self.store.queues.counts() if queue.waiting or queue.paused_at]
        yield from found or [ok(self, "No task waits")]

    def _of(self, queue: QueueCounts) -> Finding:
        name = queue.priority.queue
        age = 0.0 if queue.oldest is None else max(0.0, (self.now - queue.oldest).total_seconds())
        waiting = f"Waiting in the queue {name}: {queue.waiting:,}, the oldest for {age:.0f} s"
        if queue.paused_at is not None:
            return warning(self, f"{waiting}; the queue is paused", f"resume it with `POST /queue/{name}/resume`")
        if age > LONG:
            return warning(self, waiting, "see the line about processes, or set QUEUE_TOOL_WORKERS higher")
        return ok(self, waiting)
