"""Push: moves waiting tickets from the store to Redis, the oldest first, while Redis has room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from queue_tool.broker import Broker
from queue_tool.host import senders
from queue_tool.model.clock import Clock
from queue_tool.model.ticket import Ticket
from queue_tool.services.filling import Filling
from queue_tool.services.part_line import PartLine
from queue_tool.store import PushedTickets, Store

SUBMIT_GRACE = timedelta(seconds=20)
"""How long the process that accepted a batch or a task may take to push it. After that, the sweeper pushes it.

If a failed push is recorded or the process has ended, the sweeper does not wait.
"""

PAGE = 5000
"""The maximum number of tickets that are pushed and recorded together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """The result of a push."""

    tickets: int  # how many were pushed
    waits: bool  # whether other tickets still wait in line


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Pushes tickets to Redis, and records in the store that they are there."""

    store: Store
    broker: Broker
    clock: Clock
    filling: Filling

    def __call__(self) -> Pushed:
        """Push tickets that were never pushed, or that are for another run of their task. Then fill the lists.

        Tickets without room join the line of their list, and so do those of a list that has a line.

        Raises:
            BrokerAway: some tickets still wait in the store.
            StoreAway: the database is busy or away.
        """
        self._end_graces()
        in_line = frozenset(self.store.windows.lists_in_line())
        room = _Room(filling=self.filling, in_line=in_line)
        pushed = self._batches(room)
        self._parts()
        for name in self.store.tickets.lists_unpushed():
            pushed += self._list(name, room)
        filled = self.filling.fill_all()
        return Pushed(tickets=pushed + filled.tickets, waits=filled.waits)

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
        """Push the tickets of one list that belong to no batch in line; return how many were pushed."""
        pushed = 0
        while fitting := min(PAGE, room.of(name)):
            page = self.store.tickets.unpushed(name, fitting)
            self.tickets(page)
            room.take(page)
            pushed += len(page)
            if len(page) < fitting:
                return pushed
        if self.store.tickets.unpushed(name, 1):
            self.store.windows.join_others(name)
        return pushed

    def _batches(self, room: _Room) -> int:
        """Push the batches for which no complete push is recorded; return how many tickets were pushed."""
        batches = self.store.batches.unpushed(self.clock.now(), SUBMIT_GRACE, senders.lives)
        if not batches:
            return 0
        present = self.broker.queued()  # an interrupted push may have put some of them there
        return sum(self._batch(batch, present, room) for batch in batches)

    def _parts(self) -> None:
        """Take over the parts of open batches that their senders do not push any more.

        A ticket that was never pushed is marked as such, so that it is pushed like those of single tasks.
        """
        now = self.clock.now()
        check_line = PartLine(store=self.store, broker=self.broker)
        for part in self.store.parts.unpushed(now, SUBMIT_GRACE, senders.lives):
            if not part.in_line:
                self.store.parts.hand_over(part, self.broker.queued(), now)
            elif check_line(part, self.store.parts.lists(part)):
                self.store.parts.finish(part.key, now)

    def _batch(self, batch: str, present: set[str], room: _Room) -> int:
        """Push a batch; return how many tickets were pushed. Tickets that find no room join the line."""
        pushed, last = 0, 0
        page = self.store.tickets.waiting_in(batch)
        while page.tickets:
            absent = [ticket for ticket in page.tickets if ticket.id not in present]
            if not room.take(absent):
                self.store.windows.join(batch, last, self.clock.now())
                return pushed
            self.broker.push(absent)
            pushed, last = pushed + len(absent), page.last
            page = self.store.tickets.waiting_in(batch, after=last)
        self.store.additions.record_pushed(PushedTickets(at=self.clock.now(), batches=[batch]))
        return pushed


@dataclass(slots=True, kw_only=True)
class _Room:
    """How many tickets each list can still take. The broker is asked once for each list."""

    filling: Filling
    in_line: frozenset[str]  # lists with a line: all other tickets must join it
    _left: dict[str, int] = field(default_factory=dict)

    def of(self, name: str) -> int:
        """Return how many more tickets a list can take."""
        if name not in self._left:
            self._left[name] = 0 if name in self.in_line else self.filling.room(name)
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
