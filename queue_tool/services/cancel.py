"""Cancel: tasks that have not ended are ended, wherever they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from queue_tool.broker import Broker
from queue_tool.errors import BrokerAway
from queue_tool.model import events
from queue_tool.model.bounded_text import keepable
from queue_tool.model.clock import Clock
from queue_tool.model.filter import Filter
from queue_tool.model.states import Move
from queue_tool.model.telemetry import Telemetry
from queue_tool.services.bulk import Changed, change_matching, change_these
from queue_tool.store import Canceled, Store

LONGEST_TEXT = 1000
"""Characters that are kept of who canceled a task and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """The service, with what it works on."""

    store: Store
    broker: Broker
    telemetry: Telemetry
    clock: Clock

    def __call__(self, tokens: Sequence[str], by: str = "", reason: str = "") -> Canceled:
        """End tasks that have not ended: those that wait at once, those that run by stopping them where they run.

        A worker that cannot be told now finds out by itself within some seconds; its result counts no more.

        Returns:
            What was really ended; what is missing had ended before, or is not known.

        Raises:
            StoreAway: the database is busy or away, and nothing was changed.
        """
        by, reason = keepable(by, LONGEST_TEXT), keepable(reason, LONGEST_TEXT)
        canceled = self.store.control.cancel(tokens, by, reason, self.clock.now())
        for ticket in canceled.tickets:
            self.telemetry.emit(events.TaskCanceled(token=ticket.token, run=ticket.run, by=by, reason=reason))
        for batch in canceled.finished:
            self.telemetry.emit(events.BatchFinished(batch=batch))
        running = [ticket for ticket in canceled.tickets if ticket.token in canceled.running]
        try:
            self.broker.stop(running)
        except BrokerAway as error:
            self.telemetry.emit(events.Warned(reason=error.sentence))
        return canceled

    def these(self, tokens: Sequence[str], by: str = "", reason: str = "") -> Changed:
        """End tasks by their tokens, some hundreds at a time.

        Raises:
            StoreAway: the database is busy or away; some may have been ended.
        """
        return change_these(self.store, tokens, lambda part: len(self(part, by, reason).tickets))

    def matching(self, wanted: Filter, by: str = "", reason: str = "") -> Changed:
        """End all tasks that a filter means and that have not ended, some hundreds at a time.

        Raises:
            StoreAway: the database is busy or away; some may have been ended.
        """
        return change_matching(self.store, wanted, Move.CANCEL, lambda page: len(self(page, by, reason).tickets))
