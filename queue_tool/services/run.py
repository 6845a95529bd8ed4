"""Run: the life of a run, from a ticket to a record, read in one function.

A worker of RQ's own does it one after the other, by calling `Run`. Our worker does the same steps with many runs
at once: it turns (records what has ended, claims what comes next) by the batch, and does the work in its lanes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from queue_tool.errors import StoreAway
from queue_tool.execution.call import execute
from queue_tool.model import json_text, retry
from queue_tool.model.context import Context, nobody
from queue_tool.model.outcome import Ended, Failed, Note, Outcome, Returned
from queue_tool.model.states import Code, Move, State
from queue_tool.model.task import Claimed
from queue_tool.model.task_types import TaskType, TaskTypes
from queue_tool.model.telemetry import Event, Telemetry
from queue_tool.store import Settled, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A run that this process has claimed, with all that its function needs."""

    task: Claimed
    task_type: TaskType | None = None
    data: object = None
    timeout: float | None = None  # seconds; None is no limit
    ended: Ended | None = None  # at once, where it cannot even be started


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """What one turn has brought."""

    started: list[Started]
    settled: Settled


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The verb, with what it works on."""

    store: Store
    types: TaskTypes
    telemetry: Telemetry
    now: Callable[[], datetime]
    timeout: float  # seconds; of types that say nothing
    max_attempts: int  # of types that say nothing
    chance: Callable[[], float]  # draws a number from 0 to 1
    tries_again: bool = True  # False where nobody would bring a task back when its time has come
    pause: Callable[[], None]  # waits a moment before a store that was away is tried again

    def __call__(self, runs: Sequence[tuple[str, int]], owner: int) -> None:
        """Do the work of these tickets, one after the other, as this owner.

        Raises:
            StoreAway: nothing could be claimed.
            BaseException: what interrupted the work; the task has been put back.
        """
        for ticket in runs:
            for started in self.turn((), [ticket], owner).started:
                began = time.monotonic()
                ended = started.ended or self._process(started, owner)
                self._record(self.decide(started, ended, time.monotonic() - began), owner)

    def turn(
        self, outcomes: Sequence[Outcome], runs: Sequence[tuple[str, int]], owner: int, notes: Sequence[Note] = ()
    ) -> Turned:
        """Record how runs ended and claim the next ones in one transaction, tell of both, and load the new ones.

        Raises:
            StoreAway: nothing of it was kept.
        """
        turn = self.store.runs.turn(outcomes, runs, owner, self.now(), notes)
        if outcomes:
            self._tell_ended(outcomes, turn.settled)
        if runs:
            self._tell_started(runs, turn.claimed)
        return Turned(started=[self._load(task) for task in turn.claimed], settled=turn.settled)

    def decide(self, started: Started, ended: Ended, seconds: float) -> Outcome:
        """Return what is to be kept of a run that took so long: its end, or when its task is tried again."""
        task = started.task
        if isinstance(ended, Returned):
            return Outcome(token=task.token, run=task.run, move=Move.FINISH, result=ended.result, seconds=seconds)
        due = self._next_try(started, ended)
        return Outcome(
            token=task.token,
            run=task.run,
            move=Move.FAIL if due is None else Move.RETRY_LATER,
            code=ended.code,
            error=ended.error,
            traceback=ended.traceback,
            attempt=task.attempt,
            started_at=task.started_at,
            due_at=due,
            seconds=seconds,
        )

    def _next_try(self, started: Started, failed: Failed) -> datetime | None:
        if not self.tries_again:
            return None
        task, kind = started.task, started.task_type
        most = task.max_attempts or (kind and kind.max_attempts) or self.max_attempts
        backoff = kind.backoff if kind else retry.STANDARD
        attempt = task.attempt - task.forgiven
        return retry.decide(failed, attempt, most, backoff=backoff, now=self.now(), chance=self.chance)

    def _load(self, task: Claimed) -> Started:
        if task.task_type not in self.types:
            sentence = f"No worker here knows the task type {task.task_type!r}."
            return Started(task=task, ended=Failed(code=Code.UNKNOWN_TASK_TYPE, error=sentence))
        known = self.types[task.task_type]
        try:
            data = json_text.loads(task.data)
            timeout = known.timeout_of(data, self.timeout) if task.timeout is None else task.timeout or None
        except Exception as error:  # noqa: BLE001 - a type's own function may raise anything
            sentence = f"Its data or its timeout cannot be read: {error!r}."
            return Started(task=task, task_type=known, ended=Failed(code=Code.ERROR, error=sentence, final=True))
        return Started(task=task, task_type=known, data=data, timeout=timeout)

    def _process(self, started: Started, owner: int) -> Ended:
        assert started.task_type is not None  # noqa: S101 - or else it had ended at once
        context = context_of(started)
        try:
            return execute(started.task_type, started.data, context, started.timeout)
        except BaseException:  # RQ's handlers of signals raise all sorts of things in the middle of this
            context.canceled.set()
            self._put_back(started.task, owner)
            raise

    def _record(self, outcome: Outcome, owner: int) -> None:
        """Write an outcome, however long the store is away: as long as this process lives, nobody else will."""
        while True:
            try:
                self.turn([outcome], (), owner)
            except StoreAway:
                self.telemetry.emit(Event.OUTCOME_HELD, token=outcome.token, run=outcome.run)
                self.pause()
            else:
                return

    def _put_back(self, task: Claimed, owner: int) -> None:
        """Give a task up so that somebody else runs it: the same attempt, a new run."""
        try:
            self.turn([Outcome(token=task.token, run=task.run, move=Move.PUT_BACK)], (), owner)
        except StoreAway:
            return  # the sweeper will see that this process is gone

    # -- what is told --------------------------------------------------------------------------------------

    def _tell_started(self, runs: Sequence[tuple[str, int]], claimed: Sequence[Claimed]) -> None:
        if self.telemetry.hears(Event.TASK_STARTED):
            for task in claimed:
                self.telemetry.emit(
                    Event.TASK_STARTED, token=task.token, task_type=task.task_type, run=task.run, attempt=task.attempt
                )
        if len(claimed) < len(runs) and self.telemetry.hears(Event.TICKET_DROPPED):
            ours = {(task.token, task.run) for task in claimed}
            for token, run in runs:  # somebody else has it, or it is over: a ticket may come twice
                if (token, run) not in ours:
                    self.telemetry.emit(Event.TICKET_DROPPED, token=token, run=run)

    def _tell_ended(self, outcomes: Sequence[Outcome], settled: Settled) -> None:
        for outcome in outcomes:
            event = _EVENTS[outcome.move] if outcome.token in settled.tokens else Event.TICKET_DROPPED
            if self.telemetry.hears(event):
                self.telemetry.emit(event, **_fields(outcome, event))
        for batch in settled.finished:
            self.telemetry.emit(Event.BATCH_FINISHED, batch=batch)


def context_of(started: Started, on_news: Callable[[Context], None] | None = None) -> Context:
    """Return what a run's function may know of it."""
    task, timeout = started.task, started.timeout
    deadline = task.started_at + timedelta(seconds=timeout) if timeout else None
    return Context(
        token=task.token,
        attempt=task.attempt,
        run=task.run,
        deadline=deadline,
        parameters=json_text.loads(task.parameters) if task.parameters else {},  # type: ignore[arg-type] # an object
        on_news=on_news or nobody,
    )


_EVENTS = {
    Move.FINISH: Event.TASK_ENDED,
    Move.FAIL: Event.TASK_FAILED,
    Move.RETRY_LATER: Event.TASK_RETRIED,
    Move.PUT_BACK: Event.TASK_PUT_BACK,
}


def _fields(outcome: Outcome, event: Event) -> dict[str, object]:
    fields: dict[str, object] = {"token": outcome.token, "run": outcome.run}
    if event in (Event.TASK_FAILED, Event.TASK_RETRIED):
        fields |= {"code": outcome.code, "error": outcome.error, "attempt": outcome.attempt}
    if event is Event.TASK_RETRIED and outcome.due_at:
        fields["due_at"] = outcome.due_at.isoformat(timespec="milliseconds")
    if event in (Event.TASK_ENDED, Event.TASK_FAILED):
        fields |= {
            "status": State.FINISHED if outcome.move is Move.FINISH else State.FAILED,
            "duration": outcome.seconds,
        }
    return fields
