"""The submitter: keeps what many requests send in one transaction, and pushes their tickets in one call to Redis.

A request waits for both. What was pushed is recorded by the next transaction, or a moment later if none follows.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from queue_tool.broker import Broker
from queue_tool.errors import BrokerAway, StoreAway
from queue_tool.host import senders
from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.telemetry import Telemetry
from queue_tool.model.ticket import Ticket
from queue_tool.services.together import Failed, Together
from queue_tool.store import Added, Addition, PushedTickets, Store, new_tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """The tickets of one request."""

    tickets: Sequence[Ticket]
    batch: str | None  # the batch whose tickets these are, all of them
    part: tuple[int, int] | None = None  # the key of the part of an open batch whose tickets these are


class Submitter:
    """Keeps tasks and pushes their tickets, for all threads of a process."""

    def __init__(
        self,
        store: Store,
        broker: Broker,
        clock: Clock,
        max_waiting: int,
        patience: float = 0.0,
        *,
        telemetry: Telemetry | None = None,
    ) -> None:
        """Use these parts.

        Args:
            store: keeps the tasks.
            broker: takes the tickets.
            clock: the source of the time.
            max_waiting: the most tasks that may be queued; 0 means no limit.
            patience: seconds for which the record of a push waits for a transaction of later requests; 0: it is made
                at once, unless a transaction is in progress.
            telemetry: receives the events; None: nobody does.
        """
        self._telemetry = telemetry or Telemetry()
        self._patience = patience
        self._recorder_runs = False
        self._noted_at = 0.0  # monotonic: when the oldest unrecorded push was noted
        self._store = store
        self._broker = broker
        self._clock = clock
        self._max_waiting = max_waiting
        self._lock = threading.Lock()
        self._unrecorded: list[Push] = []
        self._keep = Together[Addition, Added](self._add, weight=_size, when_idle=self._when_idle)
        self._send = Together[Push, None](self._push, weight=_count, of_all=BrokerAway)

    @property
    def is_busy(self) -> bool:
        """Return whether a transaction keeps requests now."""
        return self._keep.is_busy

    @property
    def waiting(self) -> int:
        """Return how many requests wait for the next transaction."""
        return self._keep.waiting

    def keep(self, addition: Addition) -> Added:
        """Keep what one request sends. If this returns, it is on disk.

        Raises:
            TooManyWaiting: more than `max_waiting` tasks would be queued.
            StoreAway: the database is busy or away; nothing was stored.
            CommitUnknown: the database went away during the commit, and it is not known whether this was stored.
        """
        (added,) = self.keep_each([addition])
        if isinstance(added, Failed):
            raise added.error
        return added

    def keep_each(self, additions: Sequence[Addition]) -> list[Added | Failed]:
        """Keep what several requests send. What is returned without an error is on disk.

        Returns:
            For each request what was added, or the error that `keep` would raise.
        """
        return [
            Failed(added.error) if isinstance(added, Added) and added.error is not None else added
            for added in self._keep.each(additions)
        ]

    def push(self, pushes: Sequence[Push]) -> None:
        """Push the tickets of requests that were kept.

        Raises:
            BrokerAway: some of them may be missing in Redis. The sweeper pushes them later.
        """
        sent: Sequence[Failed | None] = self._send.each(pushes) if self._broker.has_lists else self._push(pushes)
        self._note([push for push, outcome in zip(pushes, sent, strict=True) if outcome is None])
        for outcome in sent:
            if outcome is not None:
                raise outcome.error

    def record(self, done: Push) -> None:
        """Record that nothing is left to push of a request, with the next transaction or a moment later."""
        self._note([done])

    def _note(self, pushed: Sequence[Push]) -> None:
        """Let the next transaction record these pushes, or another one a moment later."""
        with self._lock:
            if not self._unrecorded:
                self._noted_at = self._clock.monotonic()
            self._unrecorded += pushed
            starts = bool(self._patience and pushed) and not self._recorder_runs
            self._recorder_runs = self._recorder_runs or starts
        if starts:
            threading.Thread(target=self._record_later, name="recorder", daemon=True).start()
        elif not self._keep.is_busy:
            self._when_idle()

    def _add(self, additions: Sequence[Addition]) -> Sequence[Added]:
        unrecorded, began = self._take_unrecorded(), self._clock.monotonic()
        try:
            added = self._store.additions.add(additions, self._max_waiting, self._pushed(unrecorded), senders.own())
        except BaseException:
            with self._lock:
                self._unrecorded += unrecorded
            raise
        if self._telemetry.hears(events.RequestsStored):
            seconds = self._clock.monotonic() - began
            tasks = new_tasks(additions, added)
            self._telemetry.emit(events.RequestsStored(requests=len(additions), tasks=tasks, seconds=seconds))
        return added

    def _push(self, pushes: Sequence[Push]) -> Sequence[None]:
        began = self._clock.monotonic()
        self._broker.push([ticket for push in pushes for ticket in push.tickets])
        if self._broker.has_lists and self._telemetry.hears(events.TicketsMoved):
            self._telemetry.emit(events.TicketsMoved(call="push", seconds=self._clock.monotonic() - began))
        return [None] * len(pushes)

    def _when_idle(self) -> None:
        if not self._patience:
            self._record()

    def _record_later(self) -> None:
        """Record what no transaction records in time, until nothing is left."""
        left: float | None = self._patience
        while left is not None:
            time.sleep(left)
            left = self._seconds_left()
            if left is not None and left <= 0:
                self._record()
                left = self._patience

    def _seconds_left(self) -> float | None:
        """Return how long the recorder waits for a transaction of later requests; None: it ends."""
        with self._lock:
            self._recorder_runs = bool(self._unrecorded)
            return self._noted_at + self._patience - self._clock.monotonic() if self._recorder_runs else None

    def _record(self) -> None:
        """Record what was pushed. If this fails, the sweeper finds the tickets in Redis and records it."""
        unrecorded = self._take_unrecorded()
        if unrecorded:
            with contextlib.suppress(StoreAway):
                self._store.additions.record_pushed(self._pushed(unrecorded))

    def _take_unrecorded(self) -> list[Push]:
        with self._lock:
            taken, self._unrecorded = self._unrecorded, []
        return taken

    def _pushed(self, pushes: Sequence[Push]) -> PushedTickets:
        return PushedTickets(
            at=self._clock.now(),
            batches=[push.batch for push in pushes if push.batch is not None],
            tickets=[ticket for push in pushes if push.batch is None and push.part is None for ticket in push.tickets],
            parts=sorted(push.part for push in pushes if push.part is not None),
        )


def _size(addition: Addition) -> int:
    return addition.size


def _count(push: Push) -> int:
    return len(push.tickets)
