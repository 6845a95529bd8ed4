"""Audit: what should wait in Redis, compared with what does; what is missing is pushed again.

Redis loses tickets at a restart, at a failover, at a wipe, and to workers that cannot read them.
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
from queue_tool.services.sweep.push import Push
from queue_tool.store import Store

EVERY = 15.0
"""Seconds between two audits; a ticket that two of them miss is pushed again."""

SHARE = 0.1
"""The most of the time that audits may take: with millions of tickets they come less often."""


@dataclass(slots=True, kw_only=True)
class Audit:
    """The service, with what it works on and what it remembers from one time to the next."""

    store: Store
    broker: Broker
    push: Push
    telemetry: Telemetry
    clock: Clock
    _incarnation: str = field(default="", init=False)
    _resumed: Mapping[Priority, datetime | None] = field(default_factory=dict, init=False)
    _next: float | None = field(default=None, init=False)
    _missed: frozenset[str] = field(default=frozenset(), init=False)  # ids that the last audit did not find

    def if_due(self) -> None:
        """Audit now and then, and at once when Redis is another one, or a queue has gone on, since the last time.

        Raises:
            BrokerAway: Redis does not answer.
            StoreAway: the database is busy or away.
        """
        incarnation, resumed, now = self.broker.incarnation(), self.store.queues.resumed(), self.clock.monotonic()
        trusting = self._next is not None and incarnation == self._incarnation and resumed == self._resumed
        if trusting and self._next is not None and now < self._next:
            return
        self._audit(trusting=trusting)
        self._incarnation, self._resumed = incarnation, resumed
        self._next = now + max(EVERY, (self.clock.monotonic() - now) / SHARE)

    def _audit(self, *, trusting: bool) -> None:
        """Push again what should wait in Redis and does not; paused queues are passed over.

        Redis is read first: a ticket that is taken in between is then missing on both sides, or on neither; and
        before it the row until which all pushes are over, or else what is sent in between would seem lost. One
        that is missed for the first time may be in the hands of a worker that is about to claim it, unless
        there is a reason to think that it is not; then it is gone.
        """
        until = self.store.tickets.pushes_done_until()
        paused = {priority.queue for priority in self.store.queues.paused()}
        present = self.broker.queued()
        missed: set[str] = set()
        pushed = 0
        page = self.store.tickets.waiting(until=until)
        while page.tickets:
            absent = [
                ticket
                for ticket in page.tickets
                if ticket.id not in present and lane_and_queue(ticket.list)[1] not in paused
            ]
            lost = [ticket for ticket in absent if not trusting or ticket.id in self._missed]
            if lost:
                self.push.tickets(lost)
                pushed += len(lost)
            missed |= {ticket.id for ticket in absent}
            page = self.store.tickets.waiting(after=page.last, until=until)
        self._missed = frozenset(missed)
        if pushed:
            self.telemetry.emit(events.SweptMissing(tickets=pushed))
