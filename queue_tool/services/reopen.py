"""Reopen: tasks that failed or were canceled are done again, since somebody asked for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from queue_tool.model import events
from queue_tool.model.filter import Filter
from queue_tool.model.states import Move
from queue_tool.model.telemetry import Telemetry
from queue_tool.model.ticket import Ticket
from queue_tool.services.bulk import Changed, change_matching, change_these
from queue_tool.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopen:
    """The service, with what it works on."""

    store: Store
    telemetry: Telemetry

    def __call__(self, tokens: Sequence[str]) -> tuple[Ticket, ...]:
        """Let tasks that failed or were canceled be done again, with as many attempts as a new one has.

        Returns:
            The tickets of those that will be; what is missing has not ended so, or is not known.

        Raises:
            StoreAway: the database is busy or away, and nothing was changed.
        """
        tickets = self.store.control.reopen(tokens)
        for ticket in tickets:
            self.telemetry.emit(events.TaskReopened(token=ticket.token, run=ticket.run))
        return tickets

    def these(self, tokens: Sequence[str]) -> Changed:
        """Let tasks be done again by their tokens, some hundreds at a time.

        Raises:
            StoreAway: the database is busy or away; some may have been reopened.
        """
        return change_these(self.store, tokens, lambda part: len(self(part)))

    def matching(self, wanted: Filter) -> Changed:
        """Let all tasks be done again that a filter means and that failed or were canceled.

        Raises:
            StoreAway: the database is busy or away; some may have been reopened.
        """
        return change_matching(self.store, wanted, Move.REOPEN, lambda page: len(self(page)))
