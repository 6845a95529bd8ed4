"""Sweep: repairs differences between the store and Redis, again and again.

Every action is a compare-and-set or a push that may be repeated. So any number of sweepers may run at once, without a
leader. At worst a ticket is pushed twice, and the second one is dropped.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import structs

from queue_tool.broker import Broker
from queue_tool.errors import BrokerAway, BrokerFull, BrokerOfAnother, FailureKind
from queue_tool.host.begun import BegunFiles
from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.states import Code
from queue_tool.model.telemetry import Telemetry
from queue_tool.model.ticket import Ticket, read_ticket_id
from queue_tool.services.filling import Filling
from queue_tool.services.follow import announce
from queue_tool.services.sweep.audit import Audit
from queue_tool.services.sweep.due import OPEN_FOR, Due
from queue_tool.services.sweep.minutes import Minutes
from queue_tool.services.sweep.push import Push
from queue_tool.store import Process, Store, TakenBack, Worker

if TYPE_CHECKING:
    from queue_tool.services.sweep.ticks import Ticks

SUSPECT_AFTER = 18.0
"""Seconds without a heartbeat after which a worker is suspected to be dead, even if its process exists."""

SUSPECT_GRACE = 12.0
"""Seconds that a suspected worker still has to write a heartbeat.

They start when this sweeper can write to the database: if it cannot, the worker may be unable to write as well.
"""

FULL_PAUSE = 5.0
"""Seconds without a push after Redis was full: to find the missing tickets, the sweeper would read all its lists."""


@dataclass(slots=True)
class _Pulse:
    """The heartbeat of a worker, as this sweeper has seen it."""

    beat: int
    seen: float  # monotonic: when it last changed
    suspected: float | None = None  # monotonic: when the worker became a suspect, and the database could be written to


class Sweep:
    """The sweeper. It remembers what it has seen from one pass to the next."""

    def __init__(
        self,
        *,
        store: Store,
        broker: Broker,
        telemetry: Telemetry,
        clock: Clock,
        lives_here: Callable[[Process], bool | None],
        filling: Filling,
        ticks: Ticks | None = None,
        retention: timedelta | None = None,
        begun: BegunFiles | None = None,
    ) -> None:
        """Prepare.

        Args:
            store: the source of truth.
            broker: where the tickets should be.
            telemetry: receives the events.
            clock: the time of day, and a monotonic time for the liveness of workers.
            lives_here: returns whether a process of this machine is alive; None for a process of another machine.
            filling: fills the lists in Redis from their lines.
            ticks: makes the ticks of schedules; None: nobody does.
            retention: how long ended tasks are kept; None keeps them forever.
            begun: says what dead workers had begun; None: all that they held counts as begun.
        """
        self._store = store
        self._broker = broker
        self._telemetry = telemetry
        self._clock = clock
        self._lives_here = lives_here
        self._begun = begun
        self._filling = filling
        self._ticks = ticks
        self._due = Due(store=store, telemetry=telemetry, clock=clock, retention=retention)
        self._minutes = Minutes(store=store, telemetry=telemetry, clock=clock)
        self._push = Push(store=store, broker=broker, clock=clock, filling=filling)
        self._pulses: dict[int, _Pulse] = {}
        self._audit = Audit(store=store, broker=broker, push=self._push, telemetry=telemetry, clock=clock)
        self._away: str | None = None  # the reason why the last push failed
        self._full_until = 0.0
        self._is_tried = False  # whether Redis could do all that the system needs

    def __call__(self) -> bool:
        """Make one pass. Return whether tickets wait in line, so that `fill` should be called soon.

        The steps that would find nothing in the database are left out.

        Raises:
            StoreAway: the database is busy or away; the next pass continues.
        """
        has_chores = self._store.chores.any(self._clock.now(), OPEN_FOR)
        self._take_back(may_have_orphans=has_chores)
        self._do_what_is_due(has_chores=has_chores)
        if self._clock.monotonic() < self._full_until:
            return False
        try:
            refused = self._audit_if_allowed()  # before new pushes: the tickets that Redis lost are older
            waits = has_chores and self._push_unpushed()
            if refused is not None:
                raise refused
            self._away = None
            return waits
        except BrokerAway as error:  # a later pass pushes the tickets
            self._broker_failed(error)
            return False

    def due(self) -> None:
        """Do only what the time brings: make ticks, expire and queue tasks, and push their tickets.

        Raises:
            BrokerAway: Redis does not answer.
            StoreAway: the database is busy or away.
        """
        if self._ticks is not None:
            self._ticks()
        self._due.tasks()
        self._push_unpushed()

    def _do_what_is_due(self, *, has_chores: bool) -> None:
        if self._ticks is not None:
            self._ticks() if has_chores else self._ticks.pause_forgotten()
        self._due() if has_chores else self._due.forget()
        self._minutes()

    def fill(self) -> bool:
        """Fill the lists that have a line. Return whether this should be done again soon.

        Raises:
            StoreAway: the database is busy or away; the next pass continues.
        """
        if self._clock.monotonic() < self._full_until:
            return False
        try:
            return self._filling.fill_all().waits
        except BrokerAway as error:
            self._broker_failed(error)
            return False

    def _broker_failed(self, error: BrokerAway) -> None:
        if self._away != error.sentence:
            self._telemetry.emit(events.Warned(reason=error.sentence))
        self._away = error.sentence
        if isinstance(error, BrokerFull):
            self._full_until = self._clock.monotonic() + FULL_PAUSE

    def _audit_if_allowed(self) -> BrokerAway | None:
        """Try Redis once after its start, and run an audit. Return the error if Redis refuses one of them.

        Raises:
            BrokerAway: Redis does not answer, is busy, or carries the tickets of another database.
        """
        refused: BrokerAway | None = None
        for step in (self._try_broker, self._audit.if_due):
            try:
                step()
            except BrokerOfAnother:
                raise
            except BrokerAway as error:
                if error.kind is not FailureKind.REFUSES:
                    raise
                refused = refused or error
        return refused

    def _try_broker(self) -> None:
        """Try all that the system needs from Redis, until it succeeds once."""
        if not self._is_tried:
            self._broker.check()
            self._is_tried = True

    # -- dead workers --------------------------------------------------------------------------------------

    def _take_back(self, *, may_have_orphans: bool) -> None:
        """Take back what dead workers held, and what workers hold that are marked as gone, if there may be such."""
        workers = self._store.workers.all()
        dead = [worker for worker in workers if self._is_dead(worker)]
        gone = [worker.id for worker in dead]
        self._pulses = {worker.id: self._pulses[worker.id] for worker in workers if worker.id not in gone}
        orphans = self._store.workers.orphans() if may_have_orphans else []
        owners = (self._store.runs.busy(gone) if gone else []) + orphans
        tickets: Sequence[Ticket] = ()
        if owners:
            taken = self._store.runs.take_back(owners, self._clock.now(), self._begun_by(dead))
            self._emit_taken_back(taken, len(owners))
            tickets = taken.tickets
        if not (dead or tickets):
            return
        try:
            self._reap(dead, tickets)
        except BrokerAway:
            return  # the workers are not marked as gone, so the next pass tries again
        self._store.workers.mark_dead(dead, self._clock.now())
        self._forget_begun(dead)

    def _begun_by(self, dead: Sequence[Worker]) -> dict[int, frozenset[str]]:
        """Return what each worker had begun. A worker is missing if that is not known."""
        if self._begun is None:
            return {}
        known = {worker.id: self._begun.read(*_identity(worker.process)) for worker in dead}
        return {owner: tickets for owner, tickets in known.items() if tickets is not None}

    def _forget_begun(self, dead: Sequence[Worker]) -> None:
        for worker in dead:
            if self._begun is not None and not self._lives_here(worker.process):
                self._begun.remove(*_identity(worker.process))

    def _emit_taken_back(self, taken: TakenBack, owners: int) -> None:
        if taken.tickets or taken.given_up:
            self._telemetry.emit(
                events.SweptLost(workers=owners, tasks=len(taken.tickets), given_up=len(taken.given_up))
            )
        for token in taken.given_up:
            self._telemetry.emit(events.TaskFailed(token=token, code=Code.WORKER_LOST))
        for batch in taken.finished:
            self._telemetry.emit(events.BatchFinished(batch=batch))
        announce(self._telemetry, taken.made)

    def _reap(self, dead: Sequence[Worker], tickets: Sequence[Ticket]) -> None:
        """Remove everything that Redis holds for dead workers. Push again the tickets that they took but did not claim.

        Args:
            dead: the workers.
            tickets: the new tickets of the tasks that were taken back from them.
        """
        left = self._broker.forget([worker.process.name for worker in dead if worker.process.name])
        waiting = self._store.tickets.still_waiting(list(_runs_of(left)))
        if waiting:
            self._push.tickets(waiting)
        before = [structs.replace(ticket, run=ticket.run - 1) for ticket in tickets]
        self._broker.discard([ticket for ticket in before if ticket.id not in left])  # jobs of stock RQ workers

    def _is_dead(self, worker: Worker) -> bool:
        now = self._clock.monotonic()
        pulse = self._pulses.setdefault(worker.id, _Pulse(worker.beat, now))
        if pulse.beat != worker.beat:
            pulse.beat, pulse.seen, pulse.suspected = worker.beat, now, None
        if self._lives_here(worker.process) is False:
            return True
        if now - pulse.seen <= SUSPECT_AFTER or self._is_idle_here(worker):
            return False
        if pulse.suspected is None:
            self._store.workers.touch(worker.id)
            pulse.suspected = now
        return now - pulse.suspected > SUSPECT_GRACE

    def _is_idle_here(self, worker: Worker) -> bool:
        """Return whether a process of this machine has nothing that could be taken back from it.

        RQ's own worker sends no heartbeat to the store between two jobs. Only our workers have a name in Redis, where
        they hold tickets that they have not claimed.
        """
        process = worker.process
        return not process.name and self._lives_here(process) is True and not self._store.runs.busy([worker.id])

    # -- tickets that were never pushed --------------------------------------------------------------------

    def _push_unpushed(self) -> bool:
        pushed = self._push()
        if pushed.tickets:
            self._telemetry.emit(events.SweptUnpushed(tickets=pushed.tickets))
        return pushed.waits


def _identity(process: Process) -> tuple[str, int, str]:
    return process.machine, process.pid, process.pid_started


def _runs_of(job_ids: Iterable[str]) -> Iterator[tuple[str, int]]:
    for job_id in job_ids:
        with contextlib.suppress(ValueError):  # a job that is not a ticket
            yield read_ticket_id(job_id)
