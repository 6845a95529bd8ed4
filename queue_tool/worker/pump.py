"""The pump: the one thread of a worker that talks to the store and to Redis.

Each cycle has three steps. It takes new tickets and removes old ones in one round trip to Redis. It records ended runs
and claims the taken tickets in one transaction. It passes the new runs to their executors. The pump never waits for a
function.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta

from queue_tool.errors import StoreAway
from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.outcome import Ended, Outcome, timed_out
from queue_tool.model.queues import Lane
from queue_tool.model.run import Run
from queue_tool.services.owner import Owner
from queue_tool.services.run import Runner
from queue_tool.worker.active_runs import ActiveRun, ActiveRuns
from queue_tool.worker.ending import LAST_TRIES, Ending
from queue_tool.worker.inbox import Inbox
from queue_tool.worker.intake import Intake
from queue_tool.worker.notebook import Notebook
from queue_tool.worker.returns import GATHER, Returns, put_at_heads

BATCH = 500
"""The most runs that one transaction settles, and the most that it claims. More would lock the database for longer."""

WAITED = 0.005
"""Seconds between the claim and the call of a function after which the task's start is put right."""

CHECK_EVERY = 5.0
"""Seconds between two heartbeats, and between two checks that this worker still owns its active runs."""

RETRY_AFTER = 0.5
"""Seconds before the pump tries the store again after a failure."""


class Pump:
    """The work of the pump's thread."""

    def __init__(
        self,
        *,
        runner: Runner,
        owner: Owner,
        intake: Intake,
        active: ActiveRuns,
        ending: Ending,
        returns: Returns,
        inbox: Inbox,
        clock: Clock,
    ) -> None:
        """Prepare.

        Args:
            runner: the steps of a run.
            owner: the worker process that claims the tasks.
            intake: the source of tickets.
            active: the active runs, and the executor of each lane, which calls their functions.
            ending: the end of this worker.
            returns: the runs that wait for a slot.
            inbox: the reports of other threads.
            clock: the source of the time.
        """
        self._runner = runner
        self._owner = owner
        self._intake = intake
        self._active = active
        self._ending = ending
        self._ended = ending.ended
        self._returns = returns
        self._inbox = inbox
        self._clock = clock
        self._notebook = Notebook(inbox, clock)
        self._store_away_until = self._last_write = self._last_check = 0.0
        self._claims = 0

    def work(self, *, burst: bool = False, most: int | None = None) -> int:
        """Work until the inbox asks the pump to end.

        Args:
            burst: also end when no work is left.
            most: also end after so many claimed runs.

        Returns:
            How many runs were claimed.
        """
        self._read_inbox()
        while not self._is_over(burst=burst, most=most):
            self._check_runs()
            took = self._intake.take(self._room(most))
            wrote = self._record_and_claim()
            if not took and not wrote:
                self._wait_for_work()
            self._read_inbox()
            self._show()  # now, because most of what began before the transaction has ended
        return self._claimed

    @property
    def _claimed(self) -> int:
        """Return how many runs were claimed and did not go back."""
        return self._claims - self._returns.count

    # -- for other threads ---------------------------------------------------------------------------------

    def has(self, ticket: str) -> bool:
        """Return whether this run has begun here and is not abandoned."""
        active = self._active.get(ticket)
        return active is not None and not self._active.waits(active)

    def unwritten(self) -> list[Outcome]:
        """Return the outcomes that this worker could not write before it ended."""
        return [outcome for outcome, _ in self._ended]

    @property
    def left_nothing(self) -> bool:
        """Return whether the store and Redis hold nothing of this worker any more. Abandoned functions do not count."""
        return not (len(self._active) or self._ended or self._intake.has_tickets)

    # -- the inbox -----------------------------------------------------------------------------------------

    def _read_inbox(self) -> None:
        """Apply what other threads reported: filled lists, returned runs, cancels."""
        self._inbox.reset()
        for name in self._inbox.take_filled():
            self._intake.filled(name)
        for ticket, ended, called_at, returned_at in self._inbox.take_returned():
            active = self._active.release(ticket)
            if active is not None:
                self._decide(active, ended, called_at, returned_at)
        for ticket in self._inbox.take_canceled():
            self._discard(ticket)

    def _decide(self, active: ActiveRun, ended: Ended, called_at: float | None, returned_at: float) -> None:
        seconds, called = returned_at - active.began, None
        if called_at is not None:
            seconds = returned_at - called_at
            self._returns.note_end(active, seconds)
            if called_at - active.began >= WAITED:
                called = self._clock.now() - timedelta(seconds=self._clock.monotonic() - called_at)
        unfinished = self._ending.unfinished(active.run, ended)
        self._ended.append((unfinished or self._runner.decide(active.run, ended, seconds, called), active))

    def _discard(self, ticket: str) -> None:
        """Abandon a run whose outcome is no longer needed, and remove its ticket."""
        if (active := self._active.get(ticket)) is not None:
            self._active.abandon(active)
            self._intake.remove([active])

    # -- the end -------------------------------------------------------------------------------------------

    def _is_over(self, *, burst: bool, most: int | None) -> bool:
        self._ending.has_enough = most is not None and self._claimed >= most
        if (until := self._ending.finish_by) is None:
            return burst and not (self._may_get_more() or self._has_work() or self._intake.has_tickets)
        self._intake.give_back()
        if self._inbox.finish_by is not None:
            self._returns.return_all()
        return self._has_drained(until)

    def _has_drained(self, until: float) -> bool:
        """Return whether nothing more can be done. At the end of the drain, put active runs back."""
        if len(self._active) and self._clock.monotonic() >= until:
            self._read_inbox()  # runs that returned during a long transaction have their own outcomes
            self._ending.give_back()
        more = 0 if self._store_away_until else LAST_TRIES  # one try takes seconds when the store is away
        if self._has_work():
            return self._clock.monotonic() >= until + more
        return not self._intake.has_tickets or self._intake.redis_is_away  # then the sweeper removes what is left

    def _may_get_more(self) -> bool:
        return self._intake.may_get_more or self._inbox.has_filled

    def _has_work(self) -> bool:
        return bool(len(self._active) or self._ended or self._inbox.has_returned)

    # -- the store -----------------------------------------------------------------------------------------

    def _record_and_claim(self) -> bool:
        """Record ended runs and claim the taken tickets in one transaction. Return whether it was committed."""
        now = self._clock.monotonic()
        if now < self._store_away_until or not self._has_to_write(now):
            return False
        self._gather(now)
        ended = [self._ended[number] for number in range(min(BATCH, len(self._ended)))]
        tickets = self._intake.tickets
        try:
            changes = self._runner.record_and_claim(
                [outcome for outcome, _ in ended], tickets, self._owner.id(), self._notebook.take()
            )
        except StoreAway as error:
            self._store_failed(error, len(tickets))
            return False
        self._last_write, self._store_away_until = self._clock.monotonic(), 0.0
        self._notebook.clear()
        for _ in ended:
            self._ended.popleft()
        settled = changes.settled.tokens
        back = [active for outcome, active in ended if active.goes_back and outcome.token in settled]
        if back:
            put_at_heads(self._runner.store, self._intake, self._clock, back)
        self._intake.remove([active for _, active in ended], len(settled) - len(back))
        self._start(changes.runs)
        return True

    def _has_to_write(self, now: float) -> bool:
        if self._ended or self._intake.has_unclaimed:
            return True
        due = self._notebook.due()
        return due is not None and now >= due

    def _gather(self, now: float) -> None:
        """Wait a moment if more runs may end soon, so that they share the transaction."""
        until = self._returns.gather_until(self._last_write, now)
        while now < until and len(self._active) and len(self._ended) < BATCH:
            time.sleep(min(GATHER, until - now))
            self._read_inbox()
            now = self._clock.monotonic()
            until = self._returns.gather_until(self._last_write, now)

    def _store_failed(self, error: StoreAway, tickets: int) -> None:
        if not self._store_away_until:  # report the failure once, not at each try
            self._runner.telemetry.emit(
                events.OutcomeDelayed(outcomes=len(self._ended), tickets=tickets, reason=error.reason)
            )
        self._store_away_until = self._clock.monotonic() + RETRY_AFTER

    def _start(self, claimed: Sequence[Run]) -> None:
        """Pass runs to the executors of their lanes."""
        by_lane: dict[Lane, list[ActiveRun]] = {}
        for active in self._intake.claimed(claimed, self._active):
            if active.run.ended is not None:
                self._decide(active, active.run.ended, None, self._clock.monotonic())
            else:
                by_lane.setdefault(active.lane, []).append(active)
        for lane, runs in by_lane.items():
            self._active.start(lane, self._returns.accepted(lane, runs))
        self._claims += len(claimed)

    def _room(self, most: int | None) -> dict[Lane, int]:
        """Return how many runs each lane may get now. Nothing while the worker ends or the store is away."""
        if self._ending.finish_by is not None or self._clock.monotonic() < self._store_away_until:
            return {}
        left = BATCH if most is None else min(BATCH, most - self._claimed)
        now = self._clock.monotonic()
        return {lane: min(left, self._returns.room(lane, now)) for lane in self._active.executors}

    # -- checks --------------------------------------------------------------------------------------------

    def _check_runs(self) -> None:
        now = self._clock.monotonic()
        for active in self._active.overdue(now):
            called_at = self._active.called_at(active)
            self._active.abandon(active)
            self._decide(active, timed_out(active.run.timeout), called_at, now)
        self._returns.return_overdue(now)
        if (stuck := self._ending.check(now)) is not None:
            self._read_inbox()  # runs that returned before have their own outcomes
            self._ending.leave_loop(stuck)
        if now - self._last_check >= CHECK_EVERY:
            self._last_check = now
            self._abandon_lost(now)
            self._ending.check_files()
            self._intake.beat(busy=len(self._active) > 0)

    def _abandon_lost(self, now: float) -> None:
        """Abandon the runs that this worker no longer owns: canceled, or given to another worker."""
        old = [active for active in self._active if active.began < now - CHECK_EVERY]
        if not old:
            return
        try:
            ours = self._runner.store.runs.running_at(self._owner.id())
        except StoreAway:
            return
        for active in old:
            if active.run.task.token not in ours:
                self._discard(active.ticket)

    def _show(self) -> None:
        """Show the runs in RQ's tools that have lasted for a while."""
        now = self._clock.monotonic()
        if self._intake.after_backoff(now) <= now and (runs := self._active.take_unshown(now)):
            self._intake.show(runs)

    def _wait_for_work(self) -> None:
        """Wait until there is work to do."""
        now = self._clock.monotonic()
        moments = [self._last_check + CHECK_EVERY, self._ending.next_moment(now), self._returns.next_moment()]
        moments += self._intake.next_moments(now)
        if (event := self._active.next_event()) is not None:
            moments.append(self._intake.after_backoff(event))
        if self._store_away_until > now:
            moments.append(self._store_away_until)
        if (due := self._notebook.due()) is not None:
            moments.append(max(due, self._store_away_until))
        self._inbox.wait(max(0.001, min(moments) - now))
