"""Control: what people say about tasks that they have sent before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from queue_tool.broker import Broker
from queue_tool.errors import BrokerAway
from queue_tool.store import Canceled, Store
from queue_tool.telemetry import Event, Telemetry


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """The verb, with what it works on."""

    store: Store
    broker: Broker
    telemetry: Telemetry
    now: Callable[[], datetime]

    def __call__(self, tokens: Sequence[str], by: str = "", reason: str = "") -> Canceled:
        """End tasks that have not ended: those that wait at once, those that run by stopping them where they run.

        A worker that cannot be told now finds out by itself within some seconds; its result counts no more.

        Returns:
            What was really ended; what is missing had ended before, or is not known.

        Raises:
            StoreAway: the database is busy or away, and nothing was changed.
        """
        canceled = self.store.runs.cancel(tokens, by, reason, self.now())
        for ticket in canceled.tickets:
            self.telemetry.emit(Event.TASK_CANCELED, token=ticket.token, run=ticket.run, by=by, reason=reason)
        for batch in canceled.finished:
            self.telemetry.emit(Event.BATCH_FINISHED, batch=batch)
        running = [ticket for ticket in canceled.tickets if ticket.token in canceled.running]
        try:
            self.broker.stop(running)
        except BrokerAway as error:
            self.telemetry.emit(Event.WARNING, reason=error.sentence)
        return canceled
