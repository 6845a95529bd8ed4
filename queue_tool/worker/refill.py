"""Refill: the thread of a worker that fills the lists from which the worker takes tickets.

It follows the takes and not the ends of tasks. Otherwise thousands of slots with long tasks would wait for each other.
The pump never waits for it: a thousand tickets take Redis ten milliseconds.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping

from queue_tool.errors import BrokerAway, QueueToolError
from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.queues import Lane
from queue_tool.model.telemetry import Telemetry
from queue_tool.model.window import PER_WORKER, is_low
from queue_tool.services.filling import Filling

REST = 0.05
"""Seconds before a list is checked again that had no line, or that another process was filling."""

RETRY_AFTER = 0.5
"""Seconds before a list is checked again after a failure."""


class Refill:
    """Knows which lists are low, and fills them in a thread of its own."""

    def __init__(self, filling: Filling, slots: Mapping[Lane, int], clock: Clock, telemetry: Telemetry) -> None:
        """Prepare. The thread starts when a list is low for the first time.

        Args:
            filling: fills a list.
            slots: the slots of each lane.
            clock: the source of the time.
            telemetry: receives the events.
        """
        self._filling = filling
        self._slots = slots
        self._clock = clock
        self._telemetry = telemetry
        self._sizes: dict[str, int] = {}  # the window of each list at the last try to fill it
        self._low: queue.SimpleQueue[tuple[str, Lane] | None] = queue.SimpleQueue()
        self._pending: set[str] = set()  # lists that are in the queue or are being filled
        self._rests: dict[str, float] = {}  # monotonic: a list is not checked before
        self._thread: threading.Thread | None = None

    def took(self, name: str, lane: Lane, left: int) -> None:
        """Note how many tickets a take left in a list. Only the pump calls this."""
        if not is_low(left, self._sizes.get(name, PER_WORKER)) or name in self._pending:
            return
        if self._clock.monotonic() < self._rests.get(name, 0.0):
            return
        self._pending.add(name)
        self._low.put((name, lane))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="refill", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread. Wait for the list that it fills now, so that its lease ends."""
        if self._thread is not None:
            self._low.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (low := self._low.get()) is not None:
            name, lane = low
            rest = self._fill(name, lane)
            self._rests[name] = self._clock.monotonic() + rest
            self._pending.discard(name)

    def _fill(self, name: str, lane: Lane) -> float:
        """Fill a list. Return how many seconds it needs no check."""
        try:
            filled = self._filling.fill(name, self._slots[lane])
        except QueueToolError as error:  # what is not filled stays in line
            if not isinstance(error, BrokerAway):  # the intake reports that Redis is away
                self._telemetry.emit(events.Warned(reason=error.sentence))
            return RETRY_AFTER
        if filled.size:
            self._sizes[name] = filled.size
        return 0.0 if filled.tickets else REST
