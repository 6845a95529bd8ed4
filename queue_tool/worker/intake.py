"""The intake of a worker: tickets that come in from Redis, and tickets that go."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from redis.exceptions import RedisError

from queue_tool.broker.failures import sentence_of
from queue_tool.model.queues import Lane
from queue_tool.model.telemetry import Event, Telemetry
from queue_tool.model.ticket import read_ticket_id
from queue_tool.worker.lists import Gone, Lists
from queue_tool.worker.pauses import Pauses

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
    """What has been taken and not been claimed, what has to go, and which lists may have more."""

    def __init__(
        self,
        *,
        lists: Lists,
        served: Mapping[str, Lane],
        watch: Callable[[str], None],
        refuse: Callable[[str, str], None],
        pauses: Pauses,
        telemetry: Telemetry,
    ) -> None:
        """Prepare.

        Args:
            lists: where tickets are.
            served: the lists to take from, the most urgent first, and the lane of each.
            watch: asks to be told once there is something in a list.
            refuse: takes a job that is no ticket: its list and its id.
            pauses: from which lists nothing is taken now.
            telemetry: who is told.
        """
        self._lists = lists
        self.served = served
        self._watch = watch
        self._refuse = refuse
        self._pauses = pauses
        self._telemetry = telemetry
        self._ready = set(served)
        self._gone: list[Gone] = []
        self._ended = 0  # of those that are gone
        self.is_away = False  # Redis did not answer the last time
        self.taken: dict[str, Taken] = {}  # by ticket
        self.closed_until = 0.0  # monotonic: Redis is away, or a suspension lasts

    @property
    def is_full(self) -> bool:
        """Tell whether a ticket is in hand, or has to go still."""
        return bool(self.taken or self._gone)

    @property
    def is_ready(self) -> bool:
        """Tell whether a list may have something that may be taken."""
        return bool(self._ready - self._pauses.lists())

    @property
    def look_at(self) -> float | None:
        """Return when a list that is paused and has something may go on; None if there is none."""
        return self._pauses.look_at if self._ready & self._pauses.lists() else None

    def wake(self, name: str) -> None:
        """Hear that there is something in a list."""
        self._ready.add(name)

    def remove(self, tickets: Iterable[Gone], ended: int = 0) -> None:
        """Remove tickets at the next exchange; so many of them are tasks that have ended here."""
        self._gone += tickets
        self._ended += ended

    def exchange(self, room: dict[Lane, int]) -> bool:
        """Take tickets for the free slots of each lane, and remove those that are no longer needed."""
        if time.monotonic() < self.closed_until:
            return False
        free = {lane: slots for lane, slots in room.items() if slots > 0} if not self.taken else {}
        ready = self._ready - self._pauses.lists() if free else set()
        wanted = {name: lane for name, lane in self.served.items() if name in ready and lane in free}
        gone = self._gone[:MOST_GONE]
        if not wanted and not gone:
            return False
        try:
            answer = self._lists.exchange(wanted, free, gone, self._ended)
        except RedisError as error:
            self.failed(error)
            return False
        self.is_away = False
        self._ended = 0
        del self._gone[: len(gone)]
        if answer is None:
            self.closed_until = time.monotonic() + SUSPENDED_FOR
            return False
        self._keep(answer, free)
        return True

    def failed(self, error: RedisError) -> None:
        """Let Redis rest for a moment; what is in its lists then is not known."""
        if not self.is_away:
            self._telemetry.emit(Event.WARNING, reason=sentence_of(error))
        self.is_away = True
        self.closed_until = time.monotonic() + RETRY_AFTER
        self._ready |= set(self.served)

    def give_back(self) -> None:
        """Put what was not claimed back into its list."""
        try:
            for name in {one.list for one in self.taken.values()}:
                self._lists.give_back(name, [one.ticket for one in self.taken.values() if one.list == name])
        except RedisError as error:
            self.failed(error)  # the sweeper will push them again
        else:
            self.taken.clear()

    def _keep(self, answer: Mapping[str, Sequence[str]], free: dict[Lane, int]) -> None:
        """Keep what was taken, and watch the lists that have nothing left."""
        for name, tickets in answer.items():
            lane = self.served[name]
            if len(tickets) < free[lane]:
                self._ready.discard(name)
                self._watch(name)
            free[lane] -= len(tickets)
            for ticket in tickets:
                try:
                    token, run = read_ticket_id(ticket)
                except ValueError:
                    self._refuse(name, ticket)
                else:
                    self.taken[ticket] = Taken(ticket, name, token, run)
