"""Refill: the thread of a worker that fills the lists from which the worker takes tickets.

It follows the takes and not the ends of tasks. Otherwise thousands of slots with long tasks would wait for each other.
The pump never waits for it: a thousand tickets take Redis ten milliseconds.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping
from typing import NamedTuple

from queue_tool.errors import BrokerAway, QueueToolError
from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.queues import Lane
from queue_tool.model.telemetry import Telemetry
from queue_tool.model.window import FIRST, is_low
from queue_tool.services.filling import Filling

REST = 0.05
"""Seconds before a list is checked again that had no line, or that another process was filling."""

RETRY_AFTER = 0.5
"""Seconds before a list is checked again after a failure."""


class _Check(NamedTuple):
    """A list to check."""

    name: str
    lane: Lane
    at: float  # monotonic: not before


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
        self._low: queue.SimpleQueue[_Check | None] = queue.SimpleQueue()
        self._pending: set[str] = set()  # lists with a check that has not begun
        self._rests: dict[str, float] = {}  # monotonic: a list is not checked before
        self._thread: threading.Thread | None = None

    def took(self, name: str, lane: Lane, left: int) -> None:
        """Note how many tickets a take left in a list. Only the pump calls this."""
        if not is_low(left, self._sizes.get(name, FIRST)) or name in self._pending:
            return
        self._check(name, lane)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="refill", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread. Wait for the list that it fills now, so that its lock ends."""
        if self._thread is not None:
            self._low.put(None)
            self._thread.join()

    def _check(self, name: str, lane: Lane) -> None:
        self._pending.add(name)
        self._low.put(_Check(name, lane, self._rests.get(name, 0.0)))

    def _run(self) -> None:
        """Do one check after the other. A take during a check asks for another one, so that no list stays low."""
        while (check := self._low.get()) is not None:
            time.sleep(max(0.0, check.at - self._clock.monotonic()))
            self._pending.discard(check.name)
            rest, is_over = self._fill(check.name, check.lane)
            self._rests[check.name] = self._clock.monotonic() + rest
            if not is_over and check.name not in self._pending:
                self._check(check.name, check.lane)

    def _fill(self, name: str, lane: Lane) -> tuple[float, bool]:
        """Fill a list. Return how many seconds it needs no check, and whether it may need none until the next take."""
        try:
            filled = self._filling.fill(name, self._slots[lane])
        except QueueToolError as error:  # what is not filled stays in line
            if not isinstance(error, BrokerAway):  # the intake reports that Redis is away
                self._telemetry.emit(events.Warned(reason=error.sentence))
            return RETRY_AFTER, True  # the sweeper fills the list if no take follows
        if filled.size:
            self._sizes[name] = filled.size
        return (0.0 if filled.tickets else REST), not filled.is_busy
