"""Cancel: ends unfinished tasks, whether they are scheduled, queued or running."""

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
"""The maximum number of characters kept of each: who canceled a task, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Cancels tasks."""

    store: Store
    broker: Broker
    telemetry: Telemetry
    clock: Clock

    def __call__(self, tokens: Sequence[str], by: str = "", reason: str = "") -> Canceled:
        """Cancel unfinished tasks, and send a stop command to the workers of the running ones.

        A worker that cannot be notified now finds the cancel by itself within some seconds. The result of a canceled
        run is discarded.

        Args:
            tokens: the tasks.
            by: who cancels them.
            reason: why.

        Returns:
            The tasks that were canceled. A task is missing if it had already ended or is unknown.

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
        """Cancel tasks by their tokens, one part per transaction.

        Raises:
            StoreAway: the database is busy or away; some tasks may already be canceled.
        """
        return change_these(self.store, tokens, lambda part: len(self(part, by, reason).tickets))

    def matching(self, wanted: Filter, by: str = "", reason: str = "") -> Changed:
        """Cancel all unfinished tasks that match a filter, one part per transaction.

        Raises:
            StoreAway: the database is busy or away; some tasks may already be canceled.
        """
        return change_matching(self.store, wanted, Move.CANCEL, lambda page: len(self(page, by, reason).tickets))
