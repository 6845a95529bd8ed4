"""Run: the life of a run, from a ticket to a record, read in one function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from queue_tool import json_text
from queue_tool.context import Context
from queue_tool.errors import StoreAway
from queue_tool.execution import Ended, Failed, Returned, execute
from queue_tool.store import Settled, Store
from queue_tool.task_types import TaskType, TaskTypes
from queue_tool.tasks import Claimed, Code, Outcome
from queue_tool.telemetry import Event, Telemetry


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One run on its way through the steps; a step whose precondition fails passes it on."""

    task: Claimed
    task_type: TaskType | None = None
    data: object = None
    timeout: float | None = None  # seconds; None is no limit
    ended: Ended | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The verb, with what it works on."""

    store: Store
    types: TaskTypes
    telemetry: Telemetry
    now: Callable[[], datetime]
    timeout: float  # seconds; of types that say nothing
    pause: Callable[[], None]  # waits a moment before a store that was away is tried again

    def __call__(self, runs: Sequence[tuple[str, int]], owner: int) -> None:
        """Do the work of these tickets, one after the other, as this owner.

        Raises:
            StoreAway: nothing could be claimed.
            BaseException: what interrupted the work; the task has been put back.
        """
        for ticket in runs:
            for task in self._claim(ticket, owner):
                self._tell(self._record(self._decide(self._process(self._load(task), owner)), owner))

    def _claim(self, ticket: tuple[str, int], owner: int) -> list[_Run]:
        claimed = self.store.tasks.claim([ticket], owner, self.now())
        if not claimed:  # somebody else has it, or it is over: a ticket may come twice
            self.telemetry.emit(Event.TICKET_DROPPED, token=ticket[0], run=ticket[1])
        return [_Run(task=task) for task in claimed]

    def _load(self, run: _Run) -> _Run:
        task = run.task
        self.telemetry.emit(
            Event.TASK_STARTED, token=task.token, task_type=task.task_type, run=task.run, attempt=task.attempt
        )
        known = self.types.get(task.task_type)
        if known is None:
            sentence = f"No worker here knows the task type {task.task_type!r}."
            return replace(run, ended=Failed(code=Code.UNKNOWN_TASK_TYPE, error=sentence))
        try:
            data = json_text.loads(task.data)
            timeout = known.timeout_of(data, self.timeout)
        except Exception as error:  # noqa: BLE001 - a type's own function may raise anything
            return replace(
                run, ended=Failed(code=Code.ERROR, error=f"Its data or its timeout cannot be read: {error!r}.")
            )
        return replace(run, task_type=known, data=data, timeout=timeout)

    def _process(self, run: _Run, owner: int) -> _Run:
        if run.task_type is None:
            return run
        context = Context(
            token=run.task.token,
            attempt=run.task.attempt,
            deadline=run.task.started_at + timedelta(seconds=run.timeout) if run.timeout else None,
        )
        try:
            return replace(run, ended=execute(run.task_type, run.data, context, run.timeout))
        except Exception as error:  # noqa: BLE001 - such as a thread or a process that cannot be started
            return replace(run, ended=Failed(code=Code.ERROR, error=f"It could not be started: {error!r}."))
        except BaseException:
            context.canceled.set()
            self._put_back(run.task, owner)
            raise

    def _decide(self, run: _Run) -> _Run:
        match run.ended:
            case Returned(result=result):
                outcome = Outcome(token=run.task.token, run=run.task.run, move="finish", result=result)
            case Failed(code=code, error=error):
                outcome = Outcome(token=run.task.token, run=run.task.run, move="fail", code=code, error=error)
            case None:
                return run
        return replace(run, outcome=outcome)

    def _record(self, run: _Run, owner: int) -> _Run:
        if run.outcome is None:
            return run
        settled = self._keep(run.outcome, owner)
        for batch in settled.finished:
            self.telemetry.emit(Event.BATCH_FINISHED, batch=batch)
        return run if run.task.token in settled.tokens else replace(run, outcome=None)

    def _keep(self, outcome: Outcome, owner: int) -> Settled:
        """Write an outcome, however long the store is away: as long as this process lives, nobody else will."""
        while True:
            try:
                return self.store.tasks.settle([outcome], owner, self.now())
            except StoreAway:
                self.telemetry.emit(Event.OUTCOME_HELD, token=outcome.token, run=outcome.run)
                self.pause()

    def _tell(self, run: _Run) -> None:
        fields: dict[str, object] = {"token": run.task.token, "run": run.task.run}
        if run.outcome is None:  # taken back from us in the meantime: it counts as somebody else's
            self.telemetry.emit(Event.TICKET_DROPPED, **fields)
            return
        if isinstance(run.ended, Failed):
            fields |= {"code": run.ended.code, "error": run.ended.error}
        duration = (self.now() - run.task.started_at).total_seconds()
        state = "finished" if run.outcome.move == "finish" else "failed"
        self.telemetry.emit(Event.TASK_ENDED, **fields, status=state, duration=duration)

    def _put_back(self, task: Claimed, owner: int) -> None:
        """Give a task up so that somebody else runs it: the same attempt, a new run."""
        try:
            self.store.tasks.settle([Outcome(token=task.token, run=task.run, move="put back")], owner, self.now())
        except StoreAway:
            return  # the sweeper will see that this process is gone
        self.telemetry.emit(Event.TASK_PUT_BACK, token=task.token, run=task.run)
