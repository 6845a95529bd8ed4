"""The pauses that a worker honors: it takes nothing from a paused queue and does not wait for it.

A claim would also refuse these tasks. This check only avoids that tickets are taken and put back.
"""

from __future__ import annotations

from collections.abc import Iterable

from queue_tool.errors import StoreAway
from queue_tool.model.clock import Clock
from queue_tool.model.queues import lane_and_queue
from queue_tool.store import Store

CHECK_EVERY = 1.0
"""Seconds for which the known pauses count as current."""


class Pauses:
    """Knows which lists are paused."""

    def __init__(self, store: Store, lists: Iterable[str], clock: Clock) -> None:
        """Prepare for the lists that the worker serves."""
        self._store = store
        self._queues = {name: lane_and_queue(name)[1] for name in lists}
        self._clock = clock
        self._paused: frozenset[str] = frozenset()
        self.check_at = 0.0  # monotonic: when to read the pauses again

    def lists(self) -> frozenset[str]:
        """Return the paused lists. While the store is away, return the last known ones."""
        now = self._clock.monotonic()
        if now >= self.check_at:
            self.check_at = now + CHECK_EVERY
            try:
                queues = {priority.queue for priority in self._store.queues.paused()}
            except StoreAway:
                return self._paused
            self._paused = frozenset(name for name, queue in self._queues.items() if queue in queues)
        return self._paused
