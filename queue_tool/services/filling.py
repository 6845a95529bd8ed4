"""Filling: moves tickets from the lines in the store to the lists in Redis, so that each list holds about its window.

Any process may fill any list, but only one fills a list at a time: it has the list's lock. Workers fill the lists that
they take from. A process that let a batch join a line fills its lists once. The sweeper does the rest.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from queue_tool.broker import Broker
from queue_tool.errors import BrokerAway, StoreAway
from queue_tool.model.clock import Clock
from queue_tool.model.ticket import Ticket
from queue_tool.model.window import FIRST, is_low, largest, window
from queue_tool.store import Portion, Store

FULL_FOR = 0.1
"""Seconds for which a list counts as full that was at least half full, so that small requests do not query Redis."""

REMEMBERED = 1.0
"""Seconds for which the windows are remembered, so that a request does not read them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """The result of a try to fill a list."""

    tickets: int  # how many were pushed
    waits: bool  # whether anything waited in line for the list when this was checked
    size: int = 0  # the window; 0: unknown
    is_busy: bool = False  # another process fills the list now


@dataclass(kw_only=True)
class Filling:
    """Fills the lists of tickets. Any thread may use it."""

    store: Store
    broker: Broker
    clock: Clock
    max_pushed: int  # tickets that one list may hold in Redis
    _sizes: dict[str, int] = field(default_factory=dict, init=False)
    _largest: int = field(default=0, init=False)
    _read_at: float | None = field(default=None, init=False)  # monotonic
    _full_until: dict[str, float] = field(default_factory=dict, init=False)  # monotonic: until when a list is full

    def size(self, name: str) -> int:
        """Return the window of a list, as it was not long ago.

        Raises:
            StoreAway: the database is busy or away.
        """
        now = self.clock.monotonic()
        if self._read_at is None or now - self._read_at >= REMEMBERED:
            self._sizes, workers = self.store.windows.sizes()
            self._largest, self._read_at = largest(workers, self.max_pushed), now
        return min(self._sizes.get(name, FIRST), self._largest)

    def without_room(self, tickets: Sequence[Ticket]) -> list[str]:
        """Return the lists that have no room for their tickets among these.

        Raises:
            StoreAway: the database is busy or away.
        """
        if len(tickets) == 1:
            return [] if self._has_room(tickets[0].list, 1) else [tickets[0].list]
        wanted = Counter(ticket.list for ticket in tickets)
        return [name for name, count in wanted.items() if not self._has_room(name, count)]

    def _has_room(self, name: str, count: int) -> bool:
        """Return whether a list has room for so many more tickets.

        Redis is queried only if the last known length leaves no room. So tickets that other processes have pushed since
        then are overlooked until the next push, which returns the real length. A full list is not queried for a while.
        If the length cannot be known, the answer is True.
        """
        if self._is_full(name):
            return False
        size = self.size(name)
        if not self.broker.has_lists or self.broker.last_length(name) + count <= size:
            return True
        try:
            length = self.broker.length(name)
        except BrokerAway:
            return True
        if not is_low(length, size):
            self._full_until[name] = self.clock.monotonic() + FULL_FOR
        return length + count <= size

    def _is_full(self, name: str) -> bool:
        return self.clock.monotonic() < self._full_until.get(name, 0.0)

    def room(self, name: str) -> int:
        """Return how many tickets fit into a list.

        Raises:
            BrokerAway: the broker does not answer.
            StoreAway: the database is busy or away.
        """
        return max(0, self.size(name) - self.broker.length(name))

    def fill(self, name: str, slots: int | None = None) -> Filled:
        """Fill a list up to its window, if at most half of it is left and no other process fills the list.

        Args:
            name: the list.
            slots: slots of the list's lane in one worker; None: unknown.

        Raises:
            BrokerAway: some of the tickets may be missing in Redis. They stay in line.
            StoreAway: the database is busy or away.
        """
        state = self.store.windows.state(name, self.clock.now())
        if not state.waits or state.is_paused:
            return Filled(tickets=0, waits=state.waits)
        length = self.broker.length(name)
        size = window(state.last, length, largest(state.workers, self.max_pushed), slots)
        if not is_low(length, size):
            return Filled(tickets=0, waits=True, size=size)
        with self.broker.filling(name) as is_mine:
            pushed = self._filled(name, size) if is_mine else 0
        return Filled(tickets=pushed, waits=True, size=size, is_busy=not is_mine)

    def try_to_fill(self, names: Iterable[str]) -> None:
        """Fill these lists. If that fails, the sweeper does it."""
        for name in names:
            if not self._is_full(name):
                with contextlib.suppress(BrokerAway, StoreAway):
                    self.fill(name)

    def fill_all(self) -> Filled:
        """Fill all lists that have a line, except those of paused queues.

        Raises:
            BrokerAway: some of the tickets may be missing in Redis. They stay in line.
            StoreAway: the database is busy or away.
        """
        names = self.store.windows.lists_in_line()
        return Filled(tickets=sum(self.fill(name).tickets for name in names), waits=bool(names))

    def _filled(self, name: str, size: int) -> int:
        """Push the next portion of a line, and note it. Return how many tickets were pushed."""
        length = self.broker.length(name)  # another process may have filled the list just now
        if not is_low(length, size):
            return 0
        portion = self.store.windows.next(name, size - length)
        self._push(portion)
        self.store.windows.note(portion, size, length + portion.count, self.clock.now())
        return portion.count

    def _push(self, portion: Portion) -> None:
        for task_type, tokens in portion.first_runs:
            self.broker.push_first_runs(portion.name, task_type, tokens)
        self.broker.push(portion.others)
