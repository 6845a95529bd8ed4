"""The intake of a worker: tickets come in from Redis, and tickets go.

When Redis fails, the intake lets it rest for a moment and tries again by itself: no error of Redis comes out of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from redis.exceptions import RedisError

from queue_tool.broker.failures import sentence_of
from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.queues import Lane
from queue_tool.model.run import Run
from queue_tool.model.telemetry import Telemetry
from queue_tool.model.ticket import read_ticket_id
from queue_tool.worker.active_runs import ActiveRun
from queue_tool.worker.pauses import Pauses
from queue_tool.worker.presence import Presence
from queue_tool.worker.ticket_lists import Gone, TicketLists
from queue_tool.worker.waker import Waker

MOST_GONE = 1000
"""Tickets that are removed in one call."""

RETRY_AFTER = 0.5
"""Seconds before a Redis that was away is tried again."""

SUSPENDED_FOR = 1.0
"""Seconds after which a worker that was suspended looks again."""


class Taken(NamedTuple):
    """A ticket that was taken from its list and not claimed yet."""

    ticket: str  # its id
    list: str
    token: str
    run: int
    shown: bool = False


class Intake:
    """Which tickets were taken and not claimed, which have to go, and which lists may have more."""

    def __init__(
        self,
        *,
        lists: TicketLists,
        served: Mapping[str, Lane],
        waker: Waker,
        pauses: Pauses,
        presence: Presence,
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        """Prepare.

        Args:
            lists: where tickets are.
            served: the lists to take from, the most urgent first, and the lane of each.
            waker: tells once there is something in an empty list.
            pauses: from which lists nothing is taken now.
            presence: what RQ's tools see of this worker.
            telemetry: who is told.
            clock: where the time comes from.
        """
        self._lists = lists
        self._served = served
        self._waker = waker
        self._pauses = pauses
        self._presence = presence
        self._telemetry = telemetry
        self._clock = clock
        self._may_have = set(served)  # lists that may have something
        self._taken: dict[str, Taken] = {}  # by ticket
        self._gone: list[Gone] = []
        self._ended = 0  # of those that are gone
        self._rests_until = 0.0  # monotonic: Redis is away, or a suspension lasts
        self.is_away = False  # Redis did not answer the last time

    # -- what it has ---------------------------------------------------------------------------------------

    @property
    def tickets(self) -> list[tuple[str, int]]:
        """Return token and run of each ticket that waits to be claimed."""
        return [(ticket.token, ticket.run) for ticket in self._taken.values()]

    @property
    def has_unclaimed(self) -> bool:
        """Tell whether a ticket waits to be claimed."""
        return bool(self._taken)

    @property
    def has_tickets(self) -> bool:
        """Tell whether a ticket waits to be claimed, or to be removed."""
        return bool(self._taken or self._gone)

    @property
    def may_get_more(self) -> bool:
        """Tell whether a list may have something that may be taken."""
        return bool(self._may_have - self._pauses.lists())

    def times(self, now: float) -> list[float]:
        """Return the moments at which there is something to do here, as far as they are known."""
        moments = [self._rests_until] if self._rests_until > now else []
        return moments + ([self._pauses.look_at] if self._may_have & self._pauses.lists() else [])

    def after_rest(self, moment: float) -> float:
        """Return this moment, or the one at which Redis can be asked again if that is later."""
        return max(moment, self._rests_until)

    # -- tickets that come and go --------------------------------------------------------------------------

    def filled(self, name: str) -> None:
        """Hear that there is something in a list."""
        self._may_have.add(name)

    def take(self, room: Mapping[Lane, int]) -> bool:
        """Take tickets for the free slots of each lane, and remove those that are no longer needed, in one call.

        Returns:
            Whether anything was done.
        """
        if self._clock.monotonic() < self._rests_until:
            return False
        free = {lane: slots for lane, slots in room.items() if slots > 0} if not self._taken else {}
        ready = self._may_have - self._pauses.lists() if free else set()
        wanted = {name: lane for name, lane in self._served.items() if name in ready and lane in free}
        gone = self._gone[:MOST_GONE]
        if not wanted and not gone:
            return False
        try:
            answer = self._lists.exchange(wanted, free, gone, self._ended)
        except RedisError as error:
            self._rest(error)
            return False
        self.is_away = False
        self._ended = 0
        del self._gone[: len(gone)]
        if answer is None:
            self._rests_until = self._clock.monotonic() + SUSPENDED_FOR
            return False
        self._keep(answer, free)
        return True

    def claimed(self, runs: Sequence[Run], active: Container[str]) -> list[ActiveRun]:
        """Return the runs that were claimed, each with its list and lane; the tickets of all others are to go.

        Args:
            runs: what was claimed of `tickets`.
            active: the tickets of the runs that this worker has: a second ticket of one of these changes nothing.
        """
        began = self._clock.monotonic()
        found: list[ActiveRun] = []
        for run in runs:
            ticket = self._taken.pop(run.ticket)
            found.append(ActiveRun(ticket.ticket, ticket.list, self._served[ticket.list], run, began))
        self._gone += (ticket for ticket in self._taken.values() if ticket.ticket not in active)
        self._taken.clear()
        return found

    def remove(self, tickets: Iterable[Gone], ended: int = 0) -> None:
        """Remove tickets with the next call; so many of them are tasks that have ended here."""
        self._gone += tickets
        self._ended += ended

    def give_back(self) -> None:
        """Put what was not claimed back into its list; what cannot be put back is pushed again by the sweeper."""
        with self._resting():
            for name in {ticket.list for ticket in self._taken.values()}:
                self._lists.give_back(name, [ticket.ticket for ticket in self._taken.values() if ticket.list == name])
            self._taken.clear()

    # -- what RQ's tools see -------------------------------------------------------------------------------

    def show(self, runs: Sequence[ActiveRun]) -> None:
        """Let RQ's tools see that these have been running for a while."""
        for active in runs:
            active.shown = True
        with self._resting():
            self._lists.show({active.ticket: active.run.task.started_at for active in runs})

    def beat(self, *, busy: bool) -> None:
        """Say that this worker lives."""
        with self._resting():
            self._presence.beat(busy=busy)

    # -- Redis ---------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _resting(self) -> Iterator[None]:
        try:
            yield
        except RedisError as error:
            self._rest(error)

    def _rest(self, error: RedisError) -> None:
        """Let Redis rest for a moment; what is in its lists then is not known."""
        if not self.is_away:
            self._telemetry.emit(events.Warned(reason=sentence_of(error)))
        self.is_away = True
        self._rests_until = self._clock.monotonic() + RETRY_AFTER
        self._may_have |= set(self._served)

    def _keep(self, answer: Mapping[str, Sequence[str]], free: dict[Lane, int]) -> None:
        """Keep what was taken, and watch the lists that have nothing left."""
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
                    self._refuse(name, ticket)
                else:
                    self._taken[ticket] = Taken(ticket, name, token, run)

    def _refuse(self, name: str, job_id: str) -> None:
        """Let a job go that is no ticket."""
        self._presence.refuse(name, job_id)
        with contextlib.suppress(RedisError):
            self._lists.let_go(name, job_id)
