"""Ready: whether the database and Redis can do what the system needs. Probes may ask as often as they like."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from queue_tool.broker import Broker
from queue_tool.errors import BrokerFull, FailureKind, QueueToolError, StoreAway
from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.telemetry import Telemetry
from queue_tool.store import Store

KEPT = 1.0
"""Seconds for which a result is used again: a try writes to both."""

OK = "ok"

SENTENCES = {
    FailureKind.AWAY: "The database does not answer: the log has the reason.",
    FailureKind.REFUSES: "The database refuses to write, as a read-only one does: the log has the reason.",
    FailureKind.FULL: "The database has no room for more: the log has the reason.",
    FailureKind.WRONG: "The database refuses a statement: the log has the reason.",
}
"""What anybody may read. The database's own words may contain names of hosts and users."""


@dataclass(slots=True)
class Ready:
    """Tries the database and Redis. What fails is logged once, and so is its end."""

    store: Store
    broker: Broker
    telemetry: Telemetry
    clock: Clock
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _last: tuple[str, str] | None = None
    _until: float = 0.0
    _logged: dict[str, str] = field(default_factory=dict)

    def __call__(self) -> tuple[str, str]:
        """Return the state of the database and of Redis: `ok`, or a sentence that names what fails."""
        last = self._last
        if last is not None and (self.clock.monotonic() < self._until or not self._lock.acquire(blocking=False)):
            return last  # another thread tries already, and a server that hangs must not hold all threads
        if last is None:
            self._lock.acquire()
        try:
            self._last = self._state("the database", self.try_database), self._state("Redis", self.try_redis)
            self._until = self.clock.monotonic() + KEPT
            return self._last
        finally:
            self._lock.release()

    def try_database(self) -> None:
        """Try a write, which changes no row. A database that is only busy can be written to.

        Raises:
            StoreAway: the database does not answer, is full, or refuses to write.
        """
        self.store.keys.exist()
        try:
            self.store.try_write()
        except StoreAway as error:
            if error.kind is not FailureKind.BUSY:  # another transaction writes: so it can be written to
                raise

    def try_redis(self) -> None:
        """Try what the system needs from Redis. One that is full may stay so for a while: workers make room.

        Raises:
            BrokerAway: Redis does not answer, or refuses something.
        """
        try:
            self.broker.check()
        except BrokerFull:
            return

    def _state(self, part: str, attempt: Callable[[], None]) -> str:
        try:
            attempt()
        except QueueToolError as error:
            sentence = _for_anybody(error)
            self._log(part, sentence, f"not ready: {error.for_operator}")
            return sentence
        self._log(part, OK, f"{part} can do its work again")
        return OK

    def _log(self, part: str, state: str, reason: str) -> None:
        if self._logged.get(part, OK) != state:
            self.telemetry.emit(events.Warned(reason=reason))
        self._logged[part] = state


def _for_anybody(error: QueueToolError) -> str:
    if isinstance(error, StoreAway) and error.sentence == type(error).default_sentence():
        return SENTENCES.get(error.kind, error.sentence)
    return error.sentence
