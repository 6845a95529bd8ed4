"""Consumers: whether each queue of AMQP messages has one. Probes may ask as often as they like."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from queue_tool.errors import AmqpAway, QueueToolError
from queue_tool.model.clock import Clock
from queue_tool.services.ready import OK

LOOK_EVERY = 10.0
"""Seconds for which a good result is used again: each look opens a connection."""

TRY_EVERY = 1.0
"""The same for a bad result."""

PATIENCE = 0.5
"""Seconds that a probe waits for a look. Then it gets the result of the look before."""

NOT_YET = "RabbitMQ has not answered yet."

UNUSABLE = "RabbitMQ cannot be used: `queue-tool doctor` says why."
"""What anybody may read. RabbitMQ's own words may contain names of hosts and users."""


@dataclass(slots=True)
class Consumers:
    """Looks now and then, in a thread of its own, so that no probe waits for a server that hangs."""

    without: Callable[[], Sequence[str]]  # returns the names of the queues that have no consumer
    clock: Clock
    _last: str = NOT_YET
    _until: float = 0.0
    _looking: threading.Event | None = None  # set at the end of the look in progress
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> str:
        """Return `ok`, or a sentence that says what is wrong."""
        with self._lock:
            if self._looking is None and self.clock.monotonic() >= self._until:
                self._looking = threading.Event()
                threading.Thread(target=self._look, args=(self._looking,), name="rabbitmq", daemon=True).start()
            looking = self._looking
        if looking is not None:
            looking.wait(PATIENCE)
        return self._last

    def _look(self, looking: threading.Event) -> None:
        found = UNUSABLE
        try:
            found = self._sentence()
        finally:
            with self._lock:
                self._last, self._looking = found, None
                self._until = self.clock.monotonic() + (LOOK_EVERY if found == OK else TRY_EVERY)
            looking.set()

    def _sentence(self) -> str:
        try:
            without = self.without()
        except AmqpAway:
            return UNUSABLE
        except QueueToolError as error:
            return error.sentence
        if not without:
            return OK
        return f"Nobody consumes {' and '.join(without)} in RabbitMQ: start a consumer with `queue-tool consume`."
