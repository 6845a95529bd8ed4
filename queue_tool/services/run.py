"""The steps of a run: claim, load, process, decide, record, emit events.

A stock RQ worker calls `Runner` and takes one ticket after the other through these steps. Our own worker takes many
runs at once through the same steps. It records ended runs and claims the next ones in one transaction. Only its
process step differs: the executors of its lanes call the functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from queue_tool.errors import StoreAway
from queue_tool.execution.call import execute
from queue_tool.host import signals
from queue_tool.host.working_directory import WorkingDirectory
from queue_tool.model import events, json_text, retry
from queue_tool.model.bounded_text import described
from queue_tool.model.clock import Clock
from queue_tool.model.context import Context, take_note
from queue_tool.model.outcome import Ended, Failed, Note, Outcome, Returned
from queue_tool.model.parent_results import WantedPage
from queue_tool.model.run import Run
from queue_tool.model.sending import Sending
from queue_tool.model.states import Code, Move
from queue_tool.model.task import Claimed
from queue_tool.model.task_types import TaskTypes
from queue_tool.model.telemetry import Event, Telemetry
from queue_tool.model.ticket import Ticket
from queue_tool.services import one_by_one
from queue_tool.services.unfinished import lose, put_back
from queue_tool.store import Settled, SettledAndClaimed, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAndClaimed:
    """The result of one transaction."""

    settled: Settled
    runs: list[Run]  # the claimed runs, loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Takes runs through their steps."""

    store: Store
    types: TaskTypes
    telemetry: Telemetry
    clock: Clock
    timeout: float  # seconds; for task types without a timeout
    max_attempts: int  # for task types without a maximum
    chance: Callable[[], float]  # returns a random number from 0 to 1
    send: Callable[[Context, Sending | WantedPage], Any]  # sends for functions while they run, and reads results
    follow: Callable[[Sequence[Ticket]], None]  # pushes continuations
    retries: bool = True  # False for the inline broker: nothing runs a task again when it is due
    pause: Callable[[], None]  # waits before the next try when the store was away

    def __call__(self, tickets: Sequence[tuple[str, int]], owner: int) -> None:
        """Take the runs of these tickets through all steps, one after the other.

        Args:
            tickets: token and run of each.
            owner: the worker process that claims.

        Raises:
            StoreAway: the next ticket could not be claimed.
            BaseException: the function's run was interrupted; the task has been put back.
        """
        for ticket in tickets:
            for run in self.claim([ticket], owner):
                began = self.clock.monotonic()
                context = run.context() if run.ended is None else None
                ended = self.process(run, context, owner)
                self.record(self.decide(run, ended, self.clock.monotonic() - began), owner, _notes_of(context))

    # -- the steps -----------------------------------------------------------------------------------------

    def claim(self, tickets: Sequence[tuple[str, int]], owner: int) -> list[Run]:
        """Claim the tasks of these tickets and load them.

        Returns:
            The claimed runs. A run is missing if it cannot start, for example because another worker has it or the
            task has ended.

        Raises:
            StoreAway: nothing was claimed.
        """
        return self.record_and_claim((), tickets, owner).runs

    def record_and_claim(
        self,
        outcomes: Sequence[Outcome],
        tickets: Sequence[tuple[str, int]],
        owner: int,
        notes: Sequence[Note] = (),
    ) -> RecordedAndClaimed:
        """Record how runs ended and claim the next ones in one transaction. Then emit the events and load the new runs.

        If the database refuses a value, only that run fails.

        Args:
            outcomes: how runs ended.
            tickets: token and run of each task to claim.
            owner: the worker process that records and claims.
            notes: progress and log lines of runs that continue.

        Raises:
            StoreAway: nothing was recorded or claimed.
        """
        now, began = self.clock.now(), self.clock.monotonic()
        outcomes, changes = one_by_one.settle_and_claim(
            self.store, self.telemetry, outcomes, runs=tickets, owner=owner, now=now, notes=notes
        )
        self._emit_recorded(outcomes, changes, now, self.clock.monotonic() - began)
        if outcomes:
            self._emit_ended(outcomes, changes.settled)
            self.follow(changes.settled.made)
        if tickets:
            self._emit_started(tickets, changes.claimed)
        return RecordedAndClaimed(settled=changes.settled, runs=[self.load(task) for task in changes.claimed])

    def load(self, task: Claimed) -> Run:
        """Return a claimed task as a run, with its type, data and timeout. If it cannot run, `ended` says why."""
        if task.task_type not in self.types:
            sentence = f"No worker here knows the task type {task.task_type!r}."
            return Run(task=task, ended=Failed(code=Code.UNKNOWN_TASK_TYPE, error=sentence))
        known = self.types[task.task_type]
        try:
            data = json_text.loads(task.data)
            timeout = known.timeout_of(data, self.timeout) if task.timeout is None else task.timeout or None
        except Exception as error:  # noqa: BLE001 - a type's own function may raise anything
            sentence = f"The task's data or timeout cannot be read: {described(error)}."
            return Run(task=task, task_type=known, ended=Failed(code=Code.ERROR, error=sentence, final=True))
        return Run(task=task, task_type=known, data=data, timeout=timeout, send=self.send)

    def process(self, run: Run, context: Context | None, owner: int) -> Ended:
        """Call the task's function, wait, and return how the run ended. A run that has already ended has no context.

        Raises:
            BaseException: the function's run was interrupted; the task has been put back.
        """
        if run.ended is not None:
            return run.ended
        assert run.task_type is not None  # without a type, `load` has ended the run
        assert context is not None  # only a run that has ended has none
        signals.keep_from_children()
        try:
            with self._own_directory(run):
                return execute(run.task_type, run.data, context, run.timeout)
        except BaseException:  # RQ's signal handlers may raise any exception here
            context.canceled.set()
            self._put_back(run, owner, _notes_of(context))
            raise

    def decide(self, run: Run, ended: Ended, seconds: float, called: datetime | None = None) -> Outcome:
        """Return the outcome of a run: finished, failed, lost with its process, or a retry at a certain time.

        Args:
            run: the run.
            ended: how its function ended.
            seconds: how long it took.
            called: when its function was called; None: right after the claim.
        """
        task = run.task
        if isinstance(ended, Returned):
            return Outcome(
                token=task.token,
                run=task.run,
                move=Move.FINISH,
                result=ended.result,
                started_at=called,
                seconds=seconds,
                task_type=task.task_type,
            )
        if ended.code is Code.WORKER_LOST and self.retries:
            return lose(run, ended.error)
        due = self._next_attempt_at(run, ended)
        return Outcome(
            token=task.token,
            run=task.run,
            move=Move.FAIL if due is None else Move.RETRY_LATER,
            code=ended.code,
            error=ended.error,
            traceback=ended.traceback,
            attempt=task.attempt,
            started_at=called or task.started_at,
            due_at=due,
            seconds=seconds,
            task_type=task.task_type,
        )

    def record(self, outcome: Outcome, owner: int, notes: Sequence[Note] = ()) -> None:
        """Record an outcome, and retry while the store is away: no other process can record it while this one lives."""
        while True:
            try:
                self.record_and_claim([outcome], (), owner, notes)
            except StoreAway:
                self.telemetry.emit(events.OutcomeDelayed(token=outcome.token, run=outcome.run))
                self.pause()
            else:
                return

    def _next_attempt_at(self, run: Run, failed: Failed) -> datetime | None:
        if not self.retries:
            return None
        task, kind = run.task, run.task_type
        most = task.max_attempts or (kind and kind.max_attempts) or self.max_attempts
        backoff = kind.backoff if kind else retry.STANDARD
        attempt = task.attempt - task.forgiven
        return retry.decide(failed, attempt, most, backoff=backoff, now=self.clock.now(), chance=self.chance)

    @contextmanager
    def _own_directory(self, run: Run) -> Iterator[None]:
        """Keep the working directory of this process, and warn if the run has changed it."""
        with closing(WorkingDirectory()) as directory:
            try:
                yield
            finally:
                if directory.restore():
                    self.telemetry.emit(events.DirectoryChanged(token=run.task.token, run=run.task.run))

    def _put_back(self, run: Run, owner: int, notes: Sequence[Note]) -> None:
        """Put a task back so that another worker runs it: the same attempt, a new run."""
        try:
            self.record_and_claim([put_back(run)], (), owner, notes)
        except StoreAway:
            return  # the sweeper takes the task back when this process is gone

    # -- events --------------------------------------------------------------------------------------------

    def _emit_recorded(
        self, outcomes: Sequence[Outcome], changes: SettledAndClaimed, now: datetime, seconds: float
    ) -> None:
        if self.telemetry.hears(events.RunsRecorded) and (outcomes or changes.claimed):
            self.telemetry.emit(
                events.RunsRecorded(
                    outcomes=outcomes,
                    settled=changes.settled.tokens,
                    claimed=changes.claimed,
                    at=now,
                    seconds=seconds,
                )
            )

    def _emit_started(self, tickets: Sequence[tuple[str, int]], claimed: Sequence[Claimed]) -> None:
        if self.telemetry.hears(events.TaskStarted):
            for task in claimed:
                self.telemetry.emit(
                    events.TaskStarted(token=task.token, task_type=task.task_type, run=task.run, attempt=task.attempt)
                )
        if len(claimed) < len(tickets) and self.telemetry.hears(events.TicketDropped):
            ours = {(task.token, task.run) for task in claimed}
            for token, run in tickets:  # another worker has the run, or it is over: a ticket may arrive twice
                if (token, run) not in ours:
                    self.telemetry.emit(events.TicketDropped(token=token, run=run))

    def _emit_ended(self, outcomes: Sequence[Outcome], settled: Settled) -> None:
        ended, dropped = self.telemetry.hears(events.TaskEnded), self.telemetry.hears(events.TicketDropped)
        for outcome in outcomes:
            if outcome.token not in settled.tokens:
                if dropped:
                    self.telemetry.emit(events.TicketDropped(token=outcome.token, run=outcome.run))
            elif outcome.begun and (ended or outcome.move is not Move.FINISH):
                self.telemetry.emit(_event_of(outcome))
        for batch in settled.finished:
            self.telemetry.emit(events.BatchFinished(batch=batch))


def _notes_of(context: Context | None) -> list[Note]:
    """Return what a run has reported, as the store takes it."""
    note = take_note(context) if context is not None else None
    return [] if note is None else [note]


def _event_of(outcome: Outcome) -> Event:
    """Return the event for an outcome that was recorded."""
    token, run, code = outcome.token, outcome.run, outcome.code or Code.ERROR
    match outcome.move:
        case Move.FINISH:
            return events.TaskEnded(token=token, run=run, duration=outcome.seconds)
        case Move.PUT_BACK | Move.RESIGN:
            return events.TaskPutBack(token=token, run=run)
        case Move.LOSE:
            return events.TaskLost(token=token, run=run, reason=outcome.error or "")
        case Move.RETRY_LATER:
            return events.TaskRetried(
                token=token,
                run=run,
                code=code,
                error=outcome.error,
                attempt=outcome.attempt,
                due_at=outcome.due_at,
            )
        case _:
            return events.TaskFailed(
                token=token,
                run=run,
                code=code,
                error=outcome.error,
                attempt=outcome.attempt,
                duration=outcome.seconds,
            )
