"""Pause: a queue, which is a priority with all of its lanes, starts nothing until it is resumed."""

from __future__ import annotations

from dataclasses import dataclass

from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.queues import Priority
from queue_tool.model.telemetry import Telemetry
from queue_tool.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """The service, with what it works on."""

    store: Store
    telemetry: Telemetry
    clock: Clock

    def __call__(self, priority: Priority) -> None:
        """Let no task of a queue be started from now on; those that run go on.

        Raises:
            StoreAway: the database is busy or away, and nothing was changed.
        """
        self.store.queues.pause(priority, self.clock.now())
        self.telemetry.emit(events.QueuePaused(queue=priority.queue))

    def resume(self, priority: Priority) -> None:
        """Let the tasks of a queue be started again; the sweeper pushes what is missing in Redis.

        Raises:
            StoreAway: the database is busy or away, and nothing was changed.
        """
        self.store.queues.resume(priority, self.clock.now())
        self.telemetry.emit(events.QueueResumed(queue=priority.queue))
