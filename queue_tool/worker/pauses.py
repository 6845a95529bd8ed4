"""The pauses that a worker obeys: from a paused queue it neither takes nor waits for anything.

A claim would refuse what was taken all the same; this spares the tickets the way there and back.
"""

from __future__ import annotations

from collections.abc import Iterable

from queue_tool.errors import StoreAway
from queue_tool.model.clock import Clock
from queue_tool.model.queues import lane_and_queue
from queue_tool.store import Store

LOOK_EVERY = 1.0
"""Seconds between two looks, while anybody asks."""


class Pauses:
    """Which lists are paused."""

    def __init__(self, store: Store, lists: Iterable[str], clock: Clock) -> None:
        """Prepare; `lists` are those that the worker serves."""
        self._store = store
        self._queues = {name: lane_and_queue(name)[1] for name in lists}
        self._clock = clock
        self._paused: frozenset[str] = frozenset()
        self.look_at = 0.0  # monotonic: what is known is too old then

    def lists(self) -> frozenset[str]:
        """Return the lists that are paused; while the store is away, those that were."""
        now = self._clock.monotonic()
        if now >= self.look_at:
            self.look_at = now + LOOK_EVERY
            try:
                queues = {priority.queue for priority in self._store.queues.paused()}
            except StoreAway:
                return self._paused
            self._paused = frozenset(name for name, queue in self._queues.items() if queue in queues)
        return self._paused
