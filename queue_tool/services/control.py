"""Control: what people say about tasks that they have sent before, and about queues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from queue_tool.broker import Broker
from queue_tool.errors import BrokerAway
from queue_tool.model.bounded_text import keepable
from queue_tool.model.filter import Filter
from queue_tool.model.queues import Priority
from queue_tool.model.states import MOVES, Move, State
from queue_tool.model.telemetry import Event, Telemetry
from queue_tool.model.ticket import Ticket
from queue_tool.model.tokens import is_well_formed
from queue_tool.store import Canceled, Store

PART = 500
"""Tasks that one transaction changes."""

LONGEST_WORD = 1000
"""Characters that are kept of who canceled a task and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What became of tasks that a filter meant."""

    matched: int
    changed: int  # the others had moved on by themselves in the meantime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """The verb, with what it works on."""

    store: Store
    broker: Broker
    telemetry: Telemetry
    now: Callable[[], datetime]

    def __call__(self, tokens: Sequence[str], by: str = "", reason: str = "") -> Canceled:
        """End tasks that have not ended: those that wait at once, those that run by stopping them where they run.

        A worker that cannot be told now finds out by itself within some seconds; its result counts no more.

        Returns:
            What was really ended; what is missing had ended before, or is not known.

        Raises:
            StoreAway: the database is busy or away, and nothing was changed.
        """
        by, reason = keepable(by, LONGEST_WORD), keepable(reason, LONGEST_WORD)
        canceled = self.store.control.cancel(tokens, by, reason, self.now())
        for ticket in canceled.tickets:
            self.telemetry.emit(Event.TASK_CANCELED, token=ticket.token, run=ticket.run, by=by, reason=reason)
        for batch in canceled.finished:
            self.telemetry.emit(Event.BATCH_FINISHED, batch=batch)
        running = [ticket for ticket in canceled.tickets if ticket.token in canceled.running]
        try:
            self.broker.stop(running)
        except BrokerAway as error:
            self.telemetry.emit(Event.WARNING, reason=error.sentence)
        return canceled

    def these(self, tokens: Sequence[str], by: str = "", reason: str = "") -> Changed:
        """End tasks by their tokens, some hundreds at a time.

        Raises:
            StoreAway: the database is busy or away; some may have been ended.
        """
        return _each_part(self.store, tokens, lambda part: len(self(part, by, reason).tickets))

    def matching(self, wanted: Filter, by: str = "", reason: str = "") -> Changed:
        """End all tasks that a filter means and that have not ended, some hundreds at a time.

        Raises:
            StoreAway: the database is busy or away; some may have been ended.
        """
        return _each_page(
            self.store, wanted, MOVES[Move.CANCEL].sources, lambda page: len(self(page, by, reason).tickets)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopen:
    """The verb, with what it works on."""

    store: Store
    telemetry: Telemetry

    def __call__(self, tokens: Sequence[str]) -> tuple[Ticket, ...]:
        """Let tasks that failed or were canceled be done again, with as many attempts as a new one has.

        Returns:
            The tickets of those that will be; what is missing has not ended so, or is not known.

        Raises:
            StoreAway: the database is busy or away, and nothing was changed.
        """
        tickets = self.store.control.reopen(tokens)
        for ticket in tickets:
            self.telemetry.emit(Event.TASK_REOPENED, token=ticket.token, run=ticket.run)
        return tickets

    def these(self, tokens: Sequence[str]) -> Changed:
        """Let tasks be done again by their tokens, some hundreds at a time.

        Raises:
            StoreAway: the database is busy or away; some may have been reopened.
        """
        return _each_part(self.store, tokens, lambda part: len(self(part)))

    def matching(self, wanted: Filter) -> Changed:
        """Let all tasks be done again that a filter means and that failed or were canceled.

        Raises:
            StoreAway: the database is busy or away; some may have been reopened.
        """
        return _each_page(self.store, wanted, MOVES[Move.REOPEN].sources, lambda page: len(self(page)))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """The tasks that failed for good: removed when nobody wants them any more; `Reopen` retries them."""

    store: Store
    telemetry: Telemetry
    now: Callable[[], datetime]

    def purge(self, older_than: timedelta) -> int:
        """Remove those that had ended before so long a time, with all that is kept of them; return how many.

        They are counted off their batches, so that the counts go on to sum.
        """
        wanted = Filter(states=frozenset({State.FAILED}), ended_before=self.now() - older_than)
        removed = sum(self.store.control.remove(page) for page in self.store.control.matching(wanted))
        self.telemetry.emit(Event.SWEPT_OLD, tasks=removed)
        return removed


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """The verb, with what it works on: a queue, which is a priority with all of its lanes."""

    store: Store
    telemetry: Telemetry
    now: Callable[[], datetime]

    def __call__(self, priority: Priority) -> None:
        """Let no task of a queue be started from now on; those that run go on."""
        self.store.queues.pause(priority, self.now())
        self.telemetry.emit(Event.QUEUE_PAUSED, queue=priority.queue)

    def resume(self, priority: Priority) -> None:
        """Let the tasks of a queue be started again; the sweeper pushes what is missing in Redis."""
        self.store.queues.resume(priority, self.now())
        self.telemetry.emit(Event.QUEUE_RESUMED, queue=priority.queue)


def _each_part(store: Store, tokens: Sequence[str], change: Callable[[list[str]], int]) -> Changed:
    """Change tasks by their tokens, of those that are known."""
    known = list(store.tasks.states([token for token in dict.fromkeys(tokens) if is_well_formed(token)]))
    parts = [known[start : start + PART] for start in range(0, len(known), PART)]
    return Changed(matched=len(known), changed=sum(change(part) for part in parts))


def _each_page(store: Store, wanted: Filter, possible: frozenset[State], change: Callable[[list[str]], int]) -> Changed:
    """Change all that a filter means, of those that are in a state from which the change is possible."""
    states = wanted.states & possible if wanted.states else possible
    matched = changed = 0
    if states:
        for page in store.control.matching(replace(wanted, states=states)):
            matched += len(page)
            changed += change(page)
    return Changed(matched=matched, changed=changed)
