"""The intake of a worker: takes tickets from Redis and removes them there.

When Redis fails, the intake waits a moment and retries by itself. It never raises a RedisError.
"""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from redis.exceptions import RedisError

from queue_tool.broker import foreign
from queue_tool.broker.failures import sentence_of
from queue_tool.broker.started import ANY_BYTES
from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.queues import Lane
from queue_tool.model.run import Run
from queue_tool.model.telemetry import Telemetry
from queue_tool.model.ticket import Ticket, read_ticket_id
from queue_tool.worker.active_runs import ActiveRun
from queue_tool.worker.pauses import Pauses
from queue_tool.worker.presence import Presence
from queue_tool.worker.refill import Refill
from queue_tool.worker.ticket_lists import Removable, TicketLists
from queue_tool.worker.waker import Waker

MOST_REMOVED = 1000
"""The most tickets that one call removes."""

RETRY_AFTER = 0.5
"""Seconds before the intake tries Redis again after a failure."""

SUSPENDED_FOR = 1.0
"""Seconds before a suspended worker checks again."""


class Taken(NamedTuple):
    """A ticket that was taken from its list and not claimed yet."""

    ticket: str  # the ticket's id
    list: str
    token: str
    run: int
    shown: bool = False


class Intake:
    """Knows the tickets that are taken but not claimed, the tickets to remove, and the lists that may have more."""

    def __init__(
        self,
        *,
        lists: TicketLists,
        served: Mapping[str, Lane],
        waker: Waker,
        pauses: Pauses,
        presence: Presence,
        refill: Refill,
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        """Prepare.

        Args:
            lists: the lists of tickets in Redis.
            served: the lists to take from, the most urgent first, and the lane of each.
            waker: reports when an empty list gets a ticket.
            pauses: the paused lists, from which the intake takes nothing.
            presence: what RQ's tools see of this worker.
            refill: fills the lists that are low.
            telemetry: receives the events.
            clock: the source of the time.
        """
        self._lists = lists
        self._served = served
        self._waker = waker
        self._pauses = pauses
        self._presence = presence
        self._refill = refill
        self._telemetry = telemetry
        self._clock = clock
        self._may_have = set(served)  # lists that may have tickets
        self._taken: dict[str, Taken] = {}  # by ticket
        self._to_remove: list[Removable] = []
        self._foreign: dict[str, list[bytes]] = {}  # taken jobs that are not tickets, by list
        self._ended = 0  # how many of the tickets to remove are tasks that ended here
        self._retry_at = 0.0  # monotonic: no call to Redis before, because it failed or the worker is suspended
        self.redis_is_away = False  # Redis failed at the last call

    def close(self) -> None:
        """Stop watching and filling the lists."""
        self._waker.close()
        self._refill.close()

    # -- what it has ---------------------------------------------------------------------------------------

    @property
    def tickets(self) -> list[tuple[str, int]]:
        """Return the token and run of each ticket that is not claimed yet."""
        return [(ticket.token, ticket.run) for ticket in self._taken.values()]

    @property
    def has_unclaimed(self) -> bool:
        """Return whether a ticket waits to be claimed."""
        return bool(self._taken)

    @property
    def has_tickets(self) -> bool:
        """Return whether a ticket waits to be claimed or removed, or another job to be refused."""
        return bool(self._taken or self._to_remove or self._foreign)

    @property
    def may_get_more(self) -> bool:
        """Return whether a list that is not paused may have tickets."""
        return bool(self._may_have - self._pauses.lists())

    def next_moments(self, now: float) -> list[float]:
        """Return the moments (monotonic) when the intake has work to do, as far as it knows them."""
        moments = [self._retry_at] if self._retry_at > now else []
        return moments + ([self._pauses.check_at] if self._may_have & self._pauses.lists() else [])

    def after_backoff(self, moment: float) -> float:
        """Return this moment, or the moment of the next try at Redis if that is later."""
        return max(moment, self._retry_at)

    # -- tickets that come and go --------------------------------------------------------------------------

    def filled(self, name: str) -> None:
        """Note that a list has tickets."""
        self._may_have.add(name)

    def take(self, room: Mapping[Lane, int]) -> bool:
        """Take tickets for the free slots of each lane and remove unneeded tickets, in one call to Redis.

        Args:
            room: how many tickets each lane may get.

        Returns:
            Whether Redis took or removed anything.
        """
        self._refuse_foreign()
        if self._clock.monotonic() < self._retry_at:
            return False
        free = {lane: slots for lane, slots in room.items() if slots > 0} if not self._taken else {}
        ready = self._may_have - self._pauses.lists() if free else set()
        wanted = {name: lane for name, lane in self._served.items() if name in ready and lane in free}
        to_remove = self._to_remove[:MOST_REMOVED]
        if not wanted and not to_remove:
            return False
        began = self._clock.monotonic()
        try:
            answer = self._lists.exchange(wanted, free, to_remove, self._ended)
        except RedisError as error:
            self._back_off(error)
            return False
        if self._telemetry.hears(events.TicketsMoved):
            self._telemetry.emit(events.TicketsMoved(call="take", seconds=self._clock.monotonic() - began))
        self.redis_is_away = False
        self._ended = 0
        del self._to_remove[: len(to_remove)]
        if answer is None:
            self._retry_at = self._clock.monotonic() + SUSPENDED_FOR
            return False
        self._add_taken(answer, free)
        for name, left in self._lists.left.items():
            self._refill.took(name, self._served[name], left)
        self._refuse_foreign()
        return True

    def claimed(self, runs: Sequence[Run], active: Container[str]) -> list[ActiveRun]:
        """Return the claimed runs, each with its list and lane. The tickets that were not claimed are removed later.

        Args:
            runs: the runs that were claimed from `tickets`.
            active: the tickets of this worker's active runs. A duplicate of such a ticket is ignored.
        """
        began = self._clock.monotonic()
        found: list[ActiveRun] = []
        for run in runs:
            ticket = self._taken.pop(run.ticket)
            found.append(ActiveRun(ticket.ticket, ticket.list, self._served[ticket.list], run, began))
        self._to_remove += (ticket for ticket in self._taken.values() if ticket.ticket not in active)
        self._taken.clear()
        return found

    def remove(self, tickets: Iterable[Removable], ended: int = 0) -> None:
        """Remove tickets with the next call to Redis. `ended` is how many of them are tasks that ended here."""
        self._to_remove += tickets
        self._ended += ended

    def give_back(self) -> None:
        """Put unclaimed tickets back into their lists. If that fails, the sweeper pushes them again."""
        with self._back_off_on_error():
            for name in {ticket.list for ticket in self._taken.values()}:
                self._lists.give_back(name, [ticket.ticket for ticket in self._taken.values() if ticket.list == name])
            self._taken.clear()

    def return_runs(self, runs: Sequence[ActiveRun]) -> list[Ticket]:
        """Put the tickets of the next runs of these tasks at the heads of their lists.

        Args:
            runs: runs that were put back in the store.

        Returns:
            These tickets. Those of a list are missing if Redis failed: the sweeper pushes them.
        """
        returned: list[Ticket] = []
        with self._back_off_on_error():
            for name in {active.list for active in runs}:
                tickets = {active.ticket: _next_ticket(active) for active in runs if active.list == name}
                self._lists.return_runs(name, {old: ticket.id for old, ticket in tickets.items()})
                returned += tickets.values()
                self._may_have.add(name)
        return returned

    # -- what RQ's tools see -------------------------------------------------------------------------------

    def show(self, runs: Sequence[ActiveRun]) -> None:
        """Show these runs as started in RQ's tools."""
        for active in runs:
            active.shown = True
        with self._back_off_on_error():
            self._lists.show({active.ticket: active.run.task.started_at for active in runs})

    def beat(self, *, busy: bool) -> None:
        """Send this worker's heartbeat to Redis."""
        with self._back_off_on_error():
            self._presence.beat(busy=busy)

    # -- Redis ---------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _back_off_on_error(self) -> Iterator[None]:
        try:
            yield
        except RedisError as error:
            self._back_off(error)

    def _back_off(self, error: RedisError) -> None:
        """Postpone the next call to Redis. Any list may have tickets by then."""
        if not self.redis_is_away:
            self._telemetry.emit(events.Warned(reason=sentence_of(error)))
        self.redis_is_away = True
        self._retry_at = self._clock.monotonic() + RETRY_AFTER
        self._may_have |= set(self._served)

    def _add_taken(self, answer: Mapping[str, Sequence[str]], free: dict[Lane, int]) -> None:
        """Keep the taken tickets, and watch the lists that are now empty."""
        for name, tickets in answer.items():
            lane = self._served[name]
            if len(tickets) < free[lane]:
                self._may_have.discard(name)
                self._waker.watch(name)
            free[lane] -= len(tickets)
            for ticket in tickets:
                try:
                    token, run = read_ticket_id(ticket)
                except ValueError:
                    self._foreign.setdefault(name, []).append(ticket.encode(ANY_BYTES))
                else:
                    self._taken[ticket] = Taken(ticket, name, token, run)

    def _refuse_foreign(self) -> None:
        """Refuse the taken jobs that are not tickets. If Redis fails, the next call tries again."""
        if not self._foreign or self._clock.monotonic() < self._retry_at:
            return
        with self._back_off_on_error():
            for name, jobs in list(self._foreign.items()):
                self._lists.refuse(name, jobs)
                del self._foreign[name]
                self._telemetry.emit(events.Warned(reason=foreign.described(name, jobs)))


def _next_ticket(active: ActiveRun) -> Ticket:
    """Return the ticket of the next run of a task, in the same list."""
    task = active.run.task
    return Ticket(token=task.token, run=task.run + 1, list=active.list, task_type=task.task_type)
