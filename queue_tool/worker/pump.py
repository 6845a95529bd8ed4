"""The pump: the one thread of a worker that talks to the store and to Redis.

Each cycle takes tickets and removes old ones in one round trip, then settles what has ended and claims what was
taken in one transaction, then hands the new runs to their lanes. Nothing in it waits for a function.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from redis.exceptions import RedisError

from queue_tool.errors import StoreAway
from queue_tool.model.outcome import Ended, Outcome, timed_out
from queue_tool.model.queues import Lane
from queue_tool.model.states import Move
from queue_tool.model.telemetry import Event
from queue_tool.model.ticket import ticket_id
from queue_tool.services.owner import Owner
from queue_tool.services.run import Run, Started
from queue_tool.worker import lanes
from queue_tool.worker.intake import Intake, Taken
from queue_tool.worker.lists import Lists
from queue_tool.worker.notebook import Notebook
from queue_tool.worker.table import Held, Table

BATCH = 500
"""Runs that are settled, and that are claimed, in one transaction: more would hold the database for longer."""

GATHER = 0.003
"""Seconds between two transactions while there is work: what ends in between shares the next one."""

LOOK_EVERY = 5.0
"""Seconds between two looks at whether the runs that are held here are still ours, and between two heartbeats."""

RETRY_AFTER = 0.5
"""Seconds before a store that was away is tried again."""

LAST_TRIES = 8.0
"""Seconds beyond the drain in which the last outcomes may be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a pump works with."""

    run: Run
    owner: Owner
    lists: Lists
    lanes: Mapping[Lane, lanes.Lane]
    intake: Intake
    beat: Callable[[], None]  # says in Redis that this worker lives
    drain: float  # seconds


class Pump:
    """The thread's work, and what other threads tell it."""

    def __init__(self) -> None:
        """Prepare what other threads may talk to; `work` gets the rest."""
        self._news = threading.Event()
        self._back: deque[tuple[str, Ended]] = deque()
        self._stops: deque[str] = deque()
        self._awake: deque[str] = deque()
        self.notebook = Notebook(self._wake)
        self._ended: deque[tuple[Outcome, Held]] = deque()
        self._drain_until: float | None = None
        self._store_away_until = self._last_turn = self._last_look = 0.0
        self._table = Table({})
        self._claimed = 0

    # -- what other threads say ----------------------------------------------------------------------------

    def came_back(self, ticket: str, ended: Ended) -> None:
        """Say that a function has returned."""
        self._back.append((ticket, ended))
        self._wake()

    def woken(self, name: str) -> None:
        """Say that there is something in a list."""
        self._awake.append(name)
        self._wake()

    def stop_run(self, ticket: str) -> None:
        """Say that nobody waits for a run any more, since its task was canceled."""
        self._stops.append(ticket)
        self._wake()

    def finish(self, within: float) -> None:
        """Ask for the end: nothing new is taken, and what runs has so many seconds."""
        until = time.monotonic() + within
        self._drain_until = until if self._drain_until is None else min(until, self._drain_until)
        self._wake()

    def holds(self, ticket: str) -> bool:
        """Tell whether a run is in hand, and somebody waits for it."""
        return ticket in self._table

    @property
    def is_busy(self) -> bool:
        """Tell whether anything is in hand."""
        return len(self._table) > 0

    def _wake(self) -> None:
        if not self._news.is_set():
            self._news.set()

    # -- the thread ----------------------------------------------------------------------------------------

    def work(self, parts: Parts, *, burst: bool = False, most: int | None = None) -> int:
        """Work until asked to finish, or until nothing is left (`burst`), or until so many runs were claimed.

        Returns:
            How many runs were claimed.
        """
        self._parts, self._intake = parts, parts.intake
        self._table = Table({lane: each.slots for lane, each in parts.lanes.items()})
        self._hear()
        while not self._is_over(burst=burst, most=most):
            self._look_after_runs()
            moved = self._intake.exchange(self._room(most))
            turned = self._turn()
            self._show()
            if not moved and not turned:
                self._rest()
            self._hear()
        return self._claimed

    def unwritten(self) -> list[Outcome]:
        """Return the outcomes that could not be written before the end."""
        return [outcome for outcome, _ in self._ended]

    @property
    def left_nothing(self) -> bool:
        """Tell whether nothing of this worker is left in the store and in Redis, whatever comes back after its end."""
        return not (len(self._table) or self._ended or self._intake.is_full)

    def _is_over(self, *, burst: bool, most: int | None) -> bool:
        if self._drain_until is None and most is not None and self._claimed >= most:
            self._drain_until = float("inf")
        if self._drain_until is None:
            return burst and not (self._intake.is_ready or self._awake or self._is_holding() or self._intake.is_full)
        self._intake.give_back()
        if len(self._table) and time.monotonic() >= self._drain_until:
            self._put_back()
        more = 0 if self._store_away_until else LAST_TRIES  # a try at a store that is away takes seconds by itself
        if self._is_holding():
            return time.monotonic() >= self._drain_until + more
        return not self._intake.is_full or self._intake.is_away  # then the sweeper removes what is left

    def _is_holding(self) -> bool:
        return bool(len(self._table) or self._ended or self._back)

    def _hear(self) -> None:
        """Take in what the other threads have said."""
        self._news.clear()
        while self._awake:
            self._intake.wake(self._awake.popleft())
        while self._back:
            ticket, ended = self._back.popleft()
            run = self._table.came_back(ticket)
            if run is not None:
                self._end(run, ended)
        while self._stops:
            self._abandon(self._stops.popleft())

    def _end(self, run: Held, ended: Ended) -> None:
        outcome = self._parts.run.decide(run.started, ended, time.monotonic() - run.began)
        self._ended.append((outcome, run))

    def _abandon(self, ticket: str) -> None:
        """Stop a run whose outcome counts no more."""
        run = self._table.give_up(ticket)
        if run is not None:
            self._parts.lanes[run.lane].stop(ticket)
            self._intake.remove([run])

    def _put_back(self) -> None:
        """Give up all that still runs, so that somebody else runs it: the same attempt, a new run."""
        self._hear()  # what has come back during a transaction that took long has ended
        for run in self._table:
            self._table.give_up(run.ticket)
            self._parts.lanes[run.lane].stop(run.ticket)
            task = run.started.task
            self._ended.append((Outcome(token=task.token, run=task.run, move=Move.PUT_BACK), run))

    # -- the store -----------------------------------------------------------------------------------------

    def _turn(self) -> bool:
        """Settle what has ended and claim what was taken, in one transaction."""
        now = time.monotonic()
        if now < self._store_away_until or not (self._ended or self._intake.taken or self._has_notes_due(now)):
            return False
        self._gather(now)
        ended = [self._ended[number] for number in range(min(BATCH, len(self._ended)))]
        taken = dict(self._intake.taken)
        try:
            turned = self._parts.run.turn(
                [outcome for outcome, _ in ended],
                [(one.token, one.run) for one in taken.values()],
                self._parts.owner.id(),
                self.notebook.take(),
            )
        except StoreAway as error:
            if not self._store_away_until:  # said once, and not with each of the tries
                self._parts.run.telemetry.emit(
                    Event.OUTCOME_HELD, outcomes=len(self._ended), tickets=len(taken), reason=error.reason
                )
            self._store_away_until = time.monotonic() + RETRY_AFTER
            return False
        self._last_turn, self._store_away_until = time.monotonic(), 0.0
        self.notebook.forget()
        for _ in ended:
            self._ended.popleft()
        self._intake.remove([run for _, run in ended], len(turned.settled.tokens))
        self._intake.taken.clear()
        self._start(turned.started, taken)
        return True

    def _has_notes_due(self, now: float) -> bool:
        due = self.notebook.due()
        return due is not None and now >= due

    def _gather(self, now: float) -> None:
        """Wait for a moment if more is about to end, so that it shares the transaction."""
        soon = self._last_turn + GATHER - now
        if soon > 0 and len(self._table) and len(self._ended) < BATCH:
            time.sleep(soon)
            self._hear()

    def _start(self, started: Sequence[Started], taken: dict[str, Taken]) -> None:
        """Hand runs to their lanes; the tickets of what was not claimed go."""
        began = time.monotonic()
        by_lane: dict[Lane, list[Started]] = {}
        for run in started:
            ticket = taken.pop(ticket_id(run.task.token, run.task.run))
            lane = self._intake.served[ticket.list]
            held = Held(ticket.ticket, ticket.list, lane, run, began)
            if run.ended is not None:
                self._end(held, run.ended)
            else:
                self._table.add(held)
                by_lane.setdefault(lane, []).append(run)
        for lane, runs in by_lane.items():
            self._parts.lanes[lane].start(runs)
        self._claimed += len(started)
        self._intake.remove(one for one in taken.values() if one.ticket not in self._table)

    def _room(self, most: int | None) -> dict[Lane, int]:
        """Return how many runs each lane may get now."""
        if self._drain_until is not None or time.monotonic() < self._store_away_until:
            return {}
        left = BATCH if most is None else min(BATCH, most - self._claimed)
        return {lane: min(left, self._table.room(lane)) for lane in self._parts.lanes}

    # -- now and then --------------------------------------------------------------------------------------

    def _look_after_runs(self) -> None:
        now = time.monotonic()
        for run in self._table.overdue(now):
            self._table.give_up(run.ticket)
            self._parts.lanes[run.lane].stop(run.ticket)
            self._end(run, timed_out(run.started.timeout))
        if self._drain_until is None and self._table.is_stuck(Lane.THREADS):
            self._parts.run.telemetry.emit(
                Event.WARNING, reason="every thread runs a function that nobody waits for: this worker is replaced"
            )
            self.finish(self._parts.drain)
        if now - self._last_look >= LOOK_EVERY:
            self._last_look = now
            self._find_lost(now)
            try:
                self._parts.beat()
            except RedisError as error:
                self._intake.failed(error)

    def _find_lost(self, now: float) -> None:
        """Stop the runs that are no longer ours: canceled, or given to somebody else."""
        held = [run for run in self._table if run.began < now - LOOK_EVERY]
        if not held:
            return
        try:
            ours = self._parts.run.store.runs.held(self._parts.owner.id())
        except StoreAway:
            return
        for run in held:
            if run.started.task.token not in ours:
                self._abandon(run.ticket)

    def _show(self) -> None:
        """Let RQ's tools see what has been running for a while."""
        now = time.monotonic()
        runs = self._table.unshown(now) if now >= self._intake.closed_until else []
        if not runs:
            return
        for run in runs:
            run.shown = True
        try:
            self._parts.lists.show({run.ticket: run.started.task.started_at for run in runs})
        except RedisError as error:
            self._intake.failed(error)

    def _rest(self) -> None:
        """Wait until there is something to do."""
        now = time.monotonic()
        times = [self._last_look + LOOK_EVERY]
        if (event := self._table.next_event()) is not None:
            times.append(max(event, self._intake.closed_until))
        times += [until for until in (self._intake.closed_until, self._store_away_until) if until > now]
        if self._drain_until is not None:
            times.append(self._drain_until if self._drain_until > now else self._drain_until + LAST_TRIES)
        if (due := self.notebook.due()) is not None:
            times.append(max(due, self._store_away_until))
        if (look := self._intake.look_at) is not None:
            times.append(look)
        self._news.wait(max(0.001, min(times) - now))
