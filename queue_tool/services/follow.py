"""Follow: pushes the tickets of continuations that this process has just added. The sweeper pushes what it does not."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from queue_tool.errors import BrokerAway, StoreAway
from queue_tool.model import events
from queue_tool.model.telemetry import Telemetry
from queue_tool.model.ticket import Ticket
from queue_tool.services.filling import Filling
from queue_tool.services.submitter import Push, Submitter
from queue_tool.store import Store


class _Waiting(threading.local):
    """The tickets that a thread has still to push; None if it pushes none now."""

    tickets: list[Ticket] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """Pushes tickets of continuations. Any thread may call it."""

    store: Store
    filling: Filling
    submitter: Submitter
    telemetry: Telemetry
    _waiting: _Waiting = field(default_factory=_Waiting, init=False)

    def __call__(self, made: Sequence[Ticket]) -> None:
        """Push these tickets, except for those that must wait in line.

        The inline broker runs a task while it is pushed, and that may add the next task of a chain: its ticket is
        pushed when the push before it is done, so that no chain is too long for the stack.
        """
        if not made:
            return
        announce(self.telemetry, made)
        if self._waiting.tickets is not None:
            self._waiting.tickets += made
            return
        waiting = self._waiting.tickets = list(made)
        try:
            while waiting:
                taken = list(waiting)
                waiting.clear()
                self._push(taken)
        finally:
            self._waiting.tickets = None

    def _push(self, tickets: Sequence[Ticket]) -> None:
        try:
            full = {*self.store.windows.lists_in_line(), *self.filling.without_room(tickets)}
            fitting = [ticket for ticket in tickets if ticket.list not in full]
            if fitting:
                self.submitter.push([Push(tickets=fitting, batch=None)])
        except (BrokerAway, StoreAway):
            return  # the rows say that these tickets were not pushed


def announce(telemetry: Telemetry, made: Sequence[Ticket]) -> None:
    """Emit the events about tasks that were added as continuations."""
    for ticket in made:
        telemetry.emit(events.ContinuationAdded(token=ticket.token, task_type=ticket.task_type))
