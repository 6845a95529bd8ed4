"""Audit: compares the tickets in Redis with the tickets that should be there, and pushes the missing ones again.

Tickets are lost when Redis restarts, fails over or is wiped, and when a worker takes a ticket that it cannot read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from queue_tool.broker import Broker
from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.queues import Priority, lane_and_queue
from queue_tool.model.telemetry import Telemetry
from queue_tool.model.ticket import read_ticket_id
from queue_tool.services.sweep.push import Push
from queue_tool.store import Store

EVERY = 15.0
"""Seconds between two audits. A ticket that is missing in two audits in a row is pushed again."""

AGAIN = 5.0
"""Seconds to the next audit if one missed tickets, or cannot trust Redis yet."""

AGAIN_SHARE = 0.02
"""The maximum share of the time that audits may take if they come sooner than usual."""

SHARE = 0.1
"""The maximum share of the time that audits may take: with millions of tickets, audits run less often."""


LOOKS = 2
"""How often the audit compares what workers hold with the store, after Redis was restarted or wiped."""


@dataclass(slots=True, kw_only=True)
class Audit:
    """Compares the store with Redis. It remembers the result of its last audit."""

    store: Store
    broker: Broker
    push: Push
    telemetry: Telemetry
    clock: Clock
    _incarnation: str = field(default="", init=False)
    _resumed: Mapping[Priority, datetime | None] = field(default_factory=dict, init=False)
    _next: float | None = field(default=None, init=False)
    _missed: frozenset[str] = field(default=frozenset(), init=False)  # ids of tickets: the last audit missed them
    _looks: int = field(default=0, init=False)  # how often the audit still compares what workers hold
    _ended: frozenset[str] = field(default=frozenset(), init=False)  # ids of tickets that they held after their end
    _doubtful: int = field(default=0, init=False)  # the last row whose ticket may have been lost in a disturbance

    def if_due(self) -> None:
        """Run an audit if it is due, and at once if Redis was restarted or wiped, or if a queue was resumed.

        Raises:
            BrokerAway: Redis does not answer.
            StoreAway: the database is busy or away.
        """
        incarnation, resumed, now = self.broker.incarnation(), self.store.queues.resumed(), self.clock.monotonic()
        is_undisturbed = self._next is not None and incarnation == self._incarnation and resumed == self._resumed
        if is_undisturbed and self._next is not None and now < self._next:
            return
        if not is_undisturbed:
            self._doubtful, self._looks = self.store.tickets.last_row(), LOOKS
        done = self._audit()
        if is_undisturbed and done >= self._doubtful:  # else a push may be recorded whose tickets were lost before
            self._doubtful = 0
        if self._looks:
            self._drop_ended()
        self._incarnation, self._resumed = incarnation, resumed
        seconds = self.clock.monotonic() - now
        soon = min(EVERY, max(AGAIN, seconds / AGAIN_SHARE))
        is_unsure = self._missed or self._doubtful or self._looks
        self._next = now + max(soon if is_unsure else EVERY, seconds / SHARE)

    def _drop_ended(self) -> None:
        """Remove the tickets of ended runs that workers hold: a restarted Redis may have lost their removal.

        Only what two looks in a row found is removed: a worker may be about to remove the ticket itself.
        """
        held = {read_ticket_id(ticket): ticket for ticket in self.broker.held()}
        unended = self.store.tickets.unended([*held])
        ended = frozenset(ticket for run, ticket in held.items() if run not in unended)
        self.broker.drop(ended & self._ended)
        self._ended = ended - self._ended
        self._looks -= 1

    def _audit(self) -> int:
        """Push every ticket that should be in Redis and is not. Skip paused queues.

        Return the row up to which all pushes are complete.

        The order of the reads matters. The audit first reads up to which row all pushes are complete. It ignores later
        rows, because their tickets may be on their way. Then it reads Redis before the store, so that a ticket that a
        worker claims between these two reads does not seem lost.

        If a ticket is missing for the first time, a worker may just have taken it and be about to claim it. So the
        ticket counts as lost only if the last audit missed it too, or if it may have been lost in a disturbance: Redis
        was restarted or wiped, or a queue was resumed. Such a ticket is pushed even if its push may be in progress.
        """
        until = self.store.tickets.pushes_done_until()
        paused = {priority.queue for priority in self.store.queues.paused()}
        present = self.broker.queued()
        missed: set[str] = set()
        pushed = 0
        for first, last, is_doubtful in ((0, self._doubtful, True), (self._doubtful, until, False)):
            page = self.store.tickets.waiting(after=first, until=last)
            while page.tickets:
                absent = [
                    ticket
                    for ticket in page.tickets
                    if ticket.id not in present and lane_and_queue(ticket.list)[1] not in paused
                ]
                lost = [ticket for ticket in absent if is_doubtful or ticket.id in self._missed]
                if lost:
                    self.push.tickets(lost)
                    pushed += len(lost)
                missed |= {ticket.id for ticket in absent} - {ticket.id for ticket in lost}
                page = self.store.tickets.waiting(after=page.last, until=last)
        self._missed = frozenset(missed)
        if pushed:
            self.telemetry.emit(events.SweptMissing(tickets=pushed))
        return until
