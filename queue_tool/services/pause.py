"""Pause: a paused queue starts no tasks until it is resumed. A queue is a priority with all of its lanes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.queues import Priority
from queue_tool.model.telemetry import Telemetry
from queue_tool.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Pauses and resumes queues."""

    store: Store
    telemetry: Telemetry
    clock: Clock

    def __call__(self, priority: Priority) -> datetime:
        """Pause a queue: none of its tasks start from now on. Running tasks continue. Return the present time.

        Raises:
            StoreAway: the database is busy or away, and nothing was changed.
        """
        now = self.clock.now()
        self.store.queues.pause(priority, now)
        self.telemetry.emit(events.QueuePaused(queue=priority.queue))
        return now

    def resume(self, priority: Priority) -> None:
        """Resume a queue: its tasks start again. The sweeper pushes the tickets that are missing in Redis.

        Raises:
            StoreAway: the database is busy or away, and nothing was changed.
        """
        self.store.queues.resume(priority, self.clock.now())
        self.telemetry.emit(events.QueueResumed(queue=priority.queue))
