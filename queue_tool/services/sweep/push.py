"""Push: moves waiting tickets from the store to Redis, the oldest first, while Redis has room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from queue_tool.broker import Broker
from queue_tool.host import senders
from queue_tool.model.clock import Clock
from queue_tool.model.ticket import Ticket
from queue_tool.store import PushedTickets, Store

SUBMIT_GRACE = timedelta(seconds=20)
"""How long the process that accepted a batch or a task may take to push it. After that, the sweeper pushes it.

If a failed push is recorded or the process has ended, the sweeper does not wait.
"""

PAGE = 5000
"""The maximum number of tickets that are pushed and recorded together."""

MAX_TICKETS = 100_000
"""The maximum number of tickets of one list in one call: the caller has other work too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """The result of a push."""

    tickets: int  # how many were pushed
    held: bool  # whether other tickets still wait for room


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Pushes tickets to Redis, and records in the store that they are there."""

    store: Store
    broker: Broker
    clock: Clock
    max_pushed: int  # tickets that one list may hold in Redis

    def __call__(self) -> Pushed:
        """Push tickets that were never pushed, that are for another run of their task, or that found no room before.

        Raises:
            BrokerAway: some tickets still wait in the store.
            StoreAway: the database is busy or away.
        """
        room = _Room(broker=self.broker, most=self.max_pushed)
        self._end_graces()
        pushed = self._batches(room)
        for name in self.store.tickets.lists_unpushed():
            pushed += self._list(name, room)
        return Pushed(tickets=pushed, held=self.store.tickets.release_lists())

    def tickets(self, tickets: Sequence[Ticket]) -> None:
        """Push these tickets, and record it."""
        self.broker.push(tickets)
        self.store.additions.record_pushed(PushedTickets(at=self.clock.now(), tickets=tickets))

    def _end_graces(self) -> None:
        """Take over the tasks without a batch that their senders do not push any more."""
        now = self.clock.now()
        waiting = self.store.tickets.being_pushed(PAGE)
        alive = {sender: senders.lives(sender) for sender in {task.sender for task in waiting}}
        over = [
            task.token
            for task in waiting
            if not now - SUBMIT_GRACE <= task.created_at <= now or alive[task.sender] is False
        ]
        if over:
            self.store.tickets.end_grace(over)

    def _list(self, name: str, room: _Room) -> int:
        """Push the tickets of one list that wait in the store; return how many were pushed."""
        pushed = 0
        while pushed < MAX_TICKETS and (fitting := min(PAGE, room.of(name))):
            page = self.store.tickets.unpushed(name, fitting)
            if not page:
                break
            self.tickets(page)
            room.take(page)
            pushed += len(page)
        return pushed

    def _batches(self, room: _Room) -> int:
        """Push the batches for which no complete push is recorded; return how many tickets were pushed."""
        batches = self.store.batches.unpushed(self.clock.now(), SUBMIT_GRACE, senders.lives)
        if not batches:
            return 0
        present = self.broker.queued()  # an interrupted push may have put some of them there
        return sum(self._batch(batch, present, room) for batch in batches)

    def _batch(self, batch: str, present: set[str], room: _Room) -> int:
        """Push a batch; return how many tickets were pushed. Tickets that find no room wait in the store."""
        pushed, last = 0, 0
        page = self.store.tickets.waiting_in(batch)
        while page.tickets:
            absent = [ticket for ticket in page.tickets if ticket.id not in present]
            if not room.take(absent):
                self.store.tickets.hold(batch, last, self.clock.now())
                return pushed
            self.broker.push(absent)
            pushed, last = pushed + len(absent), page.last
            page = self.store.tickets.waiting_in(batch, after=last)
        self.store.additions.record_pushed(PushedTickets(at=self.clock.now(), batches=[batch]))
        return pushed


@dataclass(slots=True, kw_only=True)
class _Room:
    """How many tickets each list can still take. The broker is asked once for each list."""

    broker: Broker
    most: int
    _left: dict[str, int] = field(default_factory=dict)

    def of(self, name: str) -> int:
        """Return how many more tickets a list can take."""
        if name not in self._left:
            self._left[name] = max(0, self.most - self.broker.length(name))
        return self._left[name]

    def take(self, tickets: Sequence[Ticket]) -> bool:
        """Reserve room for these tickets. If there is not enough for all, reserve nothing and return False."""
        wanted: dict[str, int] = {}
        for ticket in tickets:
            wanted[ticket.list] = wanted.get(ticket.list, 0) + 1
        if any(self.of(name) < count for name, count in wanted.items()):
            return False
        for name, count in wanted.items():
            self._left[name] -= count
        return True
