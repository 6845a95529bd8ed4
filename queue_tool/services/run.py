"""The steps of a run: claim, load, process, decide, record, tell.

A stock worker of RQ takes them for one ticket after the other, by calling `Runner`. Our own worker takes the very same
steps with many runs at once: it records what has ended and claims what comes next in one transaction, and only the
processing is its own, in the executors of its lanes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from queue_tool.errors import StoreAway
from queue_tool.execution.call import execute
from queue_tool.model import events, json_text, retry
from queue_tool.model.clock import Clock
from queue_tool.model.outcome import Ended, Failed, Note, Outcome, Returned
from queue_tool.model.run import Run
from queue_tool.model.states import Code, Move
from queue_tool.model.task import Claimed
from queue_tool.model.task_types import TaskTypes
from queue_tool.model.telemetry import Event, Telemetry
from queue_tool.store import Settled, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAndClaimed:
    """What one transaction has brought."""

    settled: Settled
    runs: list[Run]  # that were claimed


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """The service, with what it works on."""

    store: Store
    types: TaskTypes
    telemetry: Telemetry
    clock: Clock
    timeout: float  # seconds; of types that say nothing
    max_attempts: int  # of types that say nothing
    chance: Callable[[], float]  # draws a number from 0 to 1
    tries_again: bool = True  # False where nobody would bring a task back when its time has come
    pause: Callable[[], None]  # waits a moment before a store that was away is tried again

    def __call__(self, tickets: Sequence[tuple[str, int]], owner: int) -> None:
        """Take these tickets, token and run of each, through all steps, one after the other, as this owner.

        Raises:
            StoreAway: nothing could be claimed.
            BaseException: what interrupted the work; the task has been put back.
        """
        for ticket in tickets:
            for run in self.claim([ticket], owner):
                began = self.clock.monotonic()
                ended = self.process(run, owner)
                self.record(self.decide(run, ended, self.clock.monotonic() - began), owner)

    # -- the steps -----------------------------------------------------------------------------------------

    def claim(self, tickets: Sequence[tuple[str, int]], owner: int) -> list[Run]:
        """Claim the tasks of these tickets and load them; what is missing is somebody else's, or over.

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
        """Record how runs ended and claim the next ones in one transaction, tell of both, and load the new ones.

        Raises:
            StoreAway: nothing of it was kept.
        """
        changes = self.store.runs.settle_and_claim(outcomes, tickets, owner, self.clock.now(), notes)
        if outcomes:
            self._tell_ended(outcomes, changes.settled)
        if tickets:
            self._tell_started(tickets, changes.claimed)
        return RecordedAndClaimed(settled=changes.settled, runs=[self.load(task) for task in changes.claimed])

    def load(self, task: Claimed) -> Run:
        """Return a claimed task with its type, its data and its deadline; one that cannot be run has ended."""
        if task.task_type not in self.types:
            sentence = f"No worker here knows the task type {task.task_type!r}."
            return Run(task=task, ended=Failed(code=Code.UNKNOWN_TASK_TYPE, error=sentence))
        known = self.types[task.task_type]
        try:
            data = json_text.loads(task.data)
            timeout = known.timeout_of(data, self.timeout) if task.timeout is None else task.timeout or None
        except Exception as error:  # noqa: BLE001 - a type's own function may raise anything
            sentence = f"Its data or its timeout cannot be read: {error!r}."
            return Run(task=task, task_type=known, ended=Failed(code=Code.ERROR, error=sentence, final=True))
        return Run(task=task, task_type=known, data=data, timeout=timeout)

    def process(self, run: Run, owner: int) -> Ended:
        """Call the task's function and wait for it; a run that has ended already passes.

        Raises:
            BaseException: what interrupted it; the task has been put back.
        """
        if run.ended is not None:
            return run.ended
        assert run.task_type is not None  # noqa: S101 - or else it had ended
        context = run.context()
        try:
            return execute(run.task_type, run.data, context, run.timeout)
        except BaseException:  # RQ's handlers of signals raise all sorts of things in the middle of this
            context.canceled.set()
            self._put_back(run, owner)
            raise

    def decide(self, run: Run, ended: Ended, seconds: float) -> Outcome:
        """Return what is to be kept of a run that took so long: its end, or when its task is tried again."""
        task = run.task
        if isinstance(ended, Returned):
            return Outcome(token=task.token, run=task.run, move=Move.FINISH, result=ended.result, seconds=seconds)
        due = self._next_try(run, ended)
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

    def record(self, outcome: Outcome, owner: int) -> None:
        """Record an outcome, however long the store is away: as long as this process lives, nobody else will."""
        while True:
            try:
                self.record_and_claim([outcome], (), owner)
            except StoreAway:
                self.telemetry.emit(events.OutcomeDelayed(token=outcome.token, run=outcome.run))
                self.pause()
            else:
                return

    def _next_try(self, run: Run, failed: Failed) -> datetime | None:
        if not self.tries_again:
            return None
        task, kind = run.task, run.task_type
        most = task.max_attempts or (kind and kind.max_attempts) or self.max_attempts
        backoff = kind.backoff if kind else retry.STANDARD
        attempt = task.attempt - task.forgiven
        return retry.decide(failed, attempt, most, backoff=backoff, now=self.clock.now(), chance=self.chance)

    def _put_back(self, run: Run, owner: int) -> None:
        """Give a task up so that somebody else runs it: the same attempt, a new run."""
        try:
            self.record_and_claim([put_back(run)], (), owner)
        except StoreAway:
            return  # the sweeper will see that this process is gone

    # -- what is told --------------------------------------------------------------------------------------

    def _tell_started(self, tickets: Sequence[tuple[str, int]], claimed: Sequence[Claimed]) -> None:
        if self.telemetry.hears(events.TaskStarted):
            for task in claimed:
                self.telemetry.emit(
                    events.TaskStarted(token=task.token, task_type=task.task_type, run=task.run, attempt=task.attempt)
                )
        if len(claimed) < len(tickets) and self.telemetry.hears(events.TicketDropped):
            ours = {(task.token, task.run) for task in claimed}
            for token, run in tickets:  # somebody else has it, or it is over: a ticket may come twice
                if (token, run) not in ours:
                    self.telemetry.emit(events.TicketDropped(token=token, run=run))

    def _tell_ended(self, outcomes: Sequence[Outcome], settled: Settled) -> None:
        ended, dropped = self.telemetry.hears(events.TaskEnded), self.telemetry.hears(events.TicketDropped)
        for outcome in outcomes:
            if outcome.token not in settled.tokens:
                if dropped:
                    self.telemetry.emit(events.TicketDropped(token=outcome.token, run=outcome.run))
            elif ended or outcome.move is not Move.FINISH:
                self.telemetry.emit(_event_of(outcome))
        for batch in settled.finished:
            self.telemetry.emit(events.BatchFinished(batch=batch))


def put_back(run: Run) -> Outcome:
    """Return the outcome of a run that this worker gives up, so that somebody else takes its task."""
    return Outcome(token=run.task.token, run=run.task.run, move=Move.PUT_BACK)


def _event_of(outcome: Outcome) -> Event:
    """Return what is told of an outcome that was kept."""
    token, run, code = outcome.token, outcome.run, outcome.code or Code.ERROR
    match outcome.move:
        case Move.FINISH:
            return events.TaskEnded(token=token, run=run, duration=outcome.seconds)
        case Move.PUT_BACK:
            return events.TaskPutBack(token=token, run=run)
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
