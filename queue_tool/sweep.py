"""Sweep: what went wrong between the store and Redis, put right again and again.

Every action is a compare-and-set or a push that may be repeated, so any number of sweepers may run at once and
none of them leads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from queue_tool.broker import Broker
from queue_tool.errors import BrokerAway
from queue_tool.store import Process, Store, Worker
from queue_tool.tasks import Ticket
from queue_tool.telemetry import Event, Telemetry

LIFELESS_AFTER = 30.0
"""Seconds without a heartbeat after which a worker of another machine counts as dead."""

AUDIT_EVERY = 30.0
"""Seconds between two audits of Redis."""

SUBMIT_GRACE = timedelta(seconds=5)
"""How long a batch may be on its way between its commit and its push before the sweeper pushes it."""

PUSH_GRACE = timedelta(seconds=30)
"""How long a ticket may be on its way to a worker before an audit misses it."""


@dataclass(slots=True)
class _Pulse:
    """The heartbeat of a worker as seen from here."""

    beat: int
    seen: float  # monotonic


class Sweep:
    """The verb, with what it works on and what it remembers from one pass to the next."""

    def __init__(
        self,
        *,
        store: Store,
        broker: Broker,
        telemetry: Telemetry,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        lives_here: Callable[[Process], bool | None],
    ) -> None:
        """Prepare.

        Args:
            store: where the truth is.
            broker: where the tickets should be.
            telemetry: who is told.
            now: the time of day.
            monotonic: seconds that never jump; liveness is judged by it.
            lives_here: whether a process of this machine lives; None for one of another machine.
        """
        self._store = store
        self._broker = broker
        self._telemetry = telemetry
        self._now = now
        self._monotonic = monotonic
        self._lives_here = lives_here
        self._pulses: dict[int, _Pulse] = {}
        self._audited: tuple[str, float] | None = None  # the incarnation, and when

    def __call__(self) -> None:
        """Make one pass.

        Raises:
            StoreAway: the database is busy or away; the next pass goes on.
        """
        self._take_back()
        try:
            self._push_unpushed()
            self._audit_if_due()
        except BrokerAway:
            return  # its tickets are pushed when it is back; submit has told about it

    # -- workers that died ---------------------------------------------------------------------------------

    def _take_back(self) -> None:
        workers = self._store.workers.all()
        dead = [worker.id for worker in workers if self._is_dead(worker)]
        held = dead + self._store.workers.orphans()
        if held:
            tickets = self._store.tasks.take_back(held)
            if tickets:
                self._telemetry.emit(Event.SWEPT_LOST, tasks=len(tickets), workers=len(held))
                self._discard_runs_before(tickets)
        if dead:
            self._store.workers.remove(dead)
        self._pulses = {worker.id: self._pulses[worker.id] for worker in workers if worker.id not in dead}

    def _discard_runs_before(self, tickets: list[Ticket]) -> None:
        """Remove what Redis still holds of the runs that died."""
        try:
            self._broker.discard([replace(ticket, run=ticket.run - 1) for ticket in tickets])
        except BrokerAway:
            return  # RQ's own maintenance will do it: such a ticket is failed, then forgotten

    def _is_dead(self, worker: Worker) -> bool:
        now = self._monotonic()
        pulse = self._pulses.setdefault(worker.id, _Pulse(worker.beat, now))
        if pulse.beat != worker.beat:
            pulse.beat, pulse.seen = worker.beat, now
        lives = self._lives_here(worker.process)
        if lives is None:
            return now - pulse.seen > LIFELESS_AFTER
        return not lives

    # -- tickets that were never pushed --------------------------------------------------------------------

    def _push_unpushed(self) -> None:
        pushed = 0
        for batch in self._store.batches.unpushed(self._now() - SUBMIT_GRACE):
            pushed += self._push_batch(batch)
        while tickets := self._store.tasks.unpushed():
            self._push(tickets)
            pushed += len(tickets)
        if pushed:
            self._telemetry.emit(Event.SWEPT_UNPUSHED, tickets=pushed)

    def _push_batch(self, batch: str) -> int:
        pushed = 0
        page = self._store.tasks.waiting_in(batch)
        while page.tickets:
            self._broker.push(page.tickets)
            pushed += len(page.tickets)
            page = self._store.tasks.waiting_in(batch, after=page.last)
        self._store.batches.mark_pushed(batch, self._now())
        return pushed

    # -- tickets that Redis has lost -----------------------------------------------------------------------

    def _audit_if_due(self) -> None:
        """Audit now and then, and at once when Redis is another one than at the last audit."""
        incarnation, now = self._broker.incarnation(), self._monotonic()
        if self._audited is not None and self._audited[0] == incarnation:
            if now - self._audited[1] < AUDIT_EVERY:
                return
            self._audit(self._now() - PUSH_GRACE)
        else:
            self._audit(self._now())
        self._audited = (incarnation, now)

    def _audit(self, pushed_before: datetime) -> None:
        """Push again what waits in the store and not in Redis.

        Redis is read first: a ticket that is taken in between is then missing on both sides, or on neither.
        """
        present = self._broker.queued()
        missing = 0
        page = self._store.tasks.waiting(pushed_before)
        while page.tickets:
            lost = [ticket for ticket in page.tickets if ticket.id not in present]
            if lost:
                self._push(lost)
                missing += len(lost)
            page = self._store.tasks.waiting(pushed_before, after=page.last)
        if missing:
            self._telemetry.emit(Event.SWEPT_MISSING, tickets=missing)

    def _push(self, tickets: tuple[Ticket, ...] | list[Ticket]) -> None:
        self._broker.push(tickets)
        self._store.tasks.mark_pushed(tickets, self._now())
