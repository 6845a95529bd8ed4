"""Push: tickets that wait in the store go to Redis, the oldest first, as far as there is room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from queue_tool.broker import Broker
from queue_tool.model.clock import Clock
from queue_tool.model.ticket import Ticket
from queue_tool.store import Store

SUBMIT_GRACE = timedelta(seconds=20)
"""How long a batch may be on its way into Redis, if nobody says that its push has failed."""

PAGE = 5000
"""Tickets that are pushed and noted together."""

MOST_AT_ONCE = 100_000
"""Tickets of one list in one call: whoever calls has other things to do as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What a push has done."""

    tickets: int
    held: bool  # whether others still wait for room


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """The service, with what it works on."""

    store: Store
    broker: Broker
    clock: Clock
    max_pushed: int  # tickets that one list may hold in Redis

    def __call__(self) -> Pushed:
        """Push what was never pushed, what goes back for another run, and what found no room.

        Raises:
            BrokerAway: some of it still waits here.
            StoreAway: the database is busy or away.
        """
        room = _Room(broker=self.broker, most=self.max_pushed)
        pushed = self._batches(room)
        for name in self.store.tickets.lists_unpushed():
            pushed += self._list(name, room)
        return Pushed(tickets=pushed, held=self.store.tickets.release_lists())

    def tickets(self, tickets: Sequence[Ticket]) -> None:
        """Push these, and note it."""
        self.broker.push(tickets)
        self.store.tickets.mark_pushed(tickets, self.clock.now())

    def _list(self, name: str, room: _Room) -> int:
        """Push what waits here of one list."""
        pushed = 0
        while pushed < MOST_AT_ONCE and (fitting := min(PAGE, room.of(name))):
            page = self.store.tickets.unpushed(name, fitting)
            if not page:
                break
            self.tickets(page)
            room.take(page)
            pushed += len(page)
        return pushed

    def _batches(self, room: _Room) -> int:
        """Push the batches of which nobody knows that their tickets are in Redis."""
        batches = self.store.batches.unpushed(self.clock.now(), SUBMIT_GRACE)
        if not batches:
            return 0
        present = self.broker.queued()  # a push that was cut short has put some of them there
        return sum(self._batch(batch, present, room) for batch in batches)

    def _batch(self, batch: str, present: set[str], room: _Room) -> int:
        """Push a batch; what finds no room waits here from now on."""
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
        self.store.batches.mark_pushed(batch, self.clock.now())
        return pushed


@dataclass(slots=True, kw_only=True)
class _Room:
    """How many tickets each list can still take, asked once."""

    broker: Broker
    most: int
    _left: dict[str, int] = field(default_factory=dict)

    def of(self, name: str) -> int:
        """Return how many more a list can take."""
        if name not in self._left:
            self._left[name] = max(0, self.most - self.broker.length(name))
        return self._left[name]

    def take(self, tickets: Sequence[Ticket]) -> bool:
        """Take room for these, if there is enough for all of them."""
        wanted: dict[str, int] = {}
        for ticket in tickets:
            wanted[ticket.list] = wanted.get(ticket.list, 0) + 1
        if any(self.of(name) < count for name, count in wanted.items()):
            return False
        for name, count in wanted.items():
            self._left[name] -= count
        return True
