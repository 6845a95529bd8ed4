"""Listening: what each event adds to the metrics. The work is done once for a transaction, not once for a task."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from queue_tool.model import events, metrics
from queue_tool.model.outcome import Outcome
from queue_tool.model.states import Move, State
from queue_tool.model.task import Claimed
from queue_tool.model.telemetry import Event
from queue_tool.model.tokens import STAMP, made_at
from queue_tool.services.measures.sums import Sums

ENDS = {Move.FINISH: State.FINISHED, Move.FAIL: State.FAILED, Move.GIVE_UP: State.FAILED}
"""The moves that end a task, and the state in which it is then."""

_FINISH = Move.FINISH  # a global name is found faster than a member of an enum

UNFINISHED = {Move.RETRY_LATER: "retried", Move.PUT_BACK: "put_back", Move.RESIGN: "resigned", Move.LOSE: "lost"}
"""The moves after which a task runs again, as the label `how` names them."""


Listeners = Mapping[type[Event], Callable[[Any], None]]
"""The function for each kind of event that adds it to sums."""


def listeners(sums: Sums) -> Listeners:
    """Return the function for each kind of event that adds it to these sums."""
    return {**_of_requests(sums), **_of_work(sums), **_of_repairs(sums), **_of_webhooks(sums)}


def _of_requests(sums: Sums) -> Listeners:
    count, observe = sums.count, sums.observe

    def requests_stored(event: events.RequestsStored) -> None:
        for task_type, number in event.tasks.items():
            count(metrics.SUBMITTED, number, task_type)
        _add_transaction(sums, "submit", event.requests, event.seconds)

    def requests_answered(event: events.RequestsAnswered) -> None:
        count(metrics.HTTP_REQUESTS, len(event.seconds), event.operation, str(event.status))
        observe(metrics.HTTP_SECONDS, event.seconds, event.operation)

    def batch_accepted(event: events.BatchAccepted) -> None:
        count(metrics.REFUSED, event.rejected)
        observe(metrics.BATCH_ELEMENTS, [event.accepted + event.rejected])

    return {
        events.RequestsStored: requests_stored,
        events.RequestsAnswered: requests_answered,
        events.BatchAccepted: batch_accepted,
        events.ContinuationAdded: lambda event: count(metrics.SUBMITTED, 1, event.task_type),
        events.Ticked: lambda event: _add_tick(sums, event),
        events.ElementsAccepted: lambda event: count(metrics.REFUSED, event.rejected),
        events.TaskReopened: lambda _: count(metrics.REOPENED, 1),
        events.TasksReopened: lambda event: count(metrics.REOPENED, event.changed),
    }


def _of_work(sums: Sums) -> Listeners:
    count, observe = sums.count, sums.observe

    def runs_recorded(event: events.RunsRecorded) -> None:
        _add_ends(sums, event.outcomes, event.settled)
        _add_waits(sums, event.claimed, event.at)
        _add_transaction(sums, "work", len(event.settled) + len(event.claimed), event.seconds)

    def task_failed(event: events.TaskFailed) -> None:
        if event.run is None:  # a sweeper failed it: `RunsRecorded` has the others
            count(metrics.ENDED, 1, State.FAILED.value, event.code.value)

    return {
        events.RunsRecorded: runs_recorded,
        events.TicketsMoved: lambda event: observe(metrics.REDIS_SECONDS, [event.seconds], event.call),
        events.BatchFinished: lambda _: count(metrics.BATCHES_FINISHED, 1),
        events.TaskCanceled: lambda _: count(metrics.ENDED, 1, State.CANCELED.value),
        events.TasksCanceled: lambda event: count(metrics.ENDED, event.changed, State.CANCELED.value),
        events.TaskFailed: task_failed,
    }


def _of_repairs(sums: Sums) -> Listeners:
    count = sums.count

    def taken_back(event: events.SweptLost) -> None:
        count(metrics.REPAIRS, event.tasks, "taken_back")
        count(metrics.REPAIRS, event.given_up, "given_up")

    return {
        events.SweptUnpushed: lambda event: count(metrics.REPAIRS, event.tickets, "pushed"),
        events.SweptMissing: lambda event: count(metrics.REPAIRS, event.tickets, "missing"),
        events.SweptLost: taken_back,
        events.SweptOld: lambda event: count(metrics.REMOVED, event.tasks),
        events.SweepFailed: lambda _: count(metrics.SWEEPS_FAILED, 1),
        events.ChildDied: lambda event: count(metrics.PROCESSES_DIED, 1, event.child.partition("-")[0]),
    }


def _of_webhooks(sums: Sums) -> Listeners:
    count, observe = sums.count, sums.observe

    def delivered(event: events.Delivered) -> None:
        count(metrics.WEBHOOK_MESSAGES, 1, "delivered", _class_of(event.status))
        count(metrics.WEBHOOK_ENDS, event.ends)
        observe(metrics.WEBHOOK_SECONDS, [event.seconds])

    return {
        events.Delivered: delivered,
        events.NotDelivered: lambda event: count(metrics.WEBHOOK_MESSAGES, 1, event.outcome, _class_of(event.status)),
    }


def _class_of(status: int | None) -> str:
    """Return the class of an HTTP status, such as `5xx`; an empty text if there is none."""
    return f"{status // 100}xx" if status else ""


def _add_tick(sums: Sums, tick: events.Ticked) -> None:
    sums.count(metrics.SUBMITTED, tick.tasks, tick.task_type)
    sums.count(metrics.REFUSED, tick.rejected)


def _add_transaction(sums: Sums, kind: str, size: int, seconds: float) -> None:
    sums.observe(metrics.TRANSACTION_SIZE, [size], kind)
    sums.observe(metrics.TRANSACTION_SECONDS, [seconds], kind)


def _add_ends(sums: Sums, outcomes: Sequence[Outcome], settled: Collection[str]) -> None:
    """Add how runs ended. Those whose function was not called are left out."""
    finished: defaultdict[str, list[float]] = defaultdict(list)  # seconds, by task type
    others: list[Outcome] = []
    for outcome in outcomes:
        if outcome.token in settled:
            if outcome.move is _FINISH and outcome.seconds is not None:
                finished[outcome.task_type].append(outcome.seconds)
            elif outcome.begun:
                others.append(outcome)
    for task_type, seconds in finished.items():
        sums.observe(metrics.RUN_SECONDS, seconds, task_type)
        sums.count(metrics.ENDED, len(seconds), State.FINISHED.value, "", task_type)
    for outcome in others:
        _add_other(sums, outcome)


def _add_other(sums: Sums, outcome: Outcome) -> None:
    """Add how a run ended that did not simply succeed."""
    if outcome.seconds is not None:
        sums.observe(metrics.RUN_SECONDS, [outcome.seconds], outcome.task_type)
    if outcome.move in ENDS:
        sums.count(metrics.ENDED, 1, ENDS[outcome.move].value, outcome.code or "", outcome.task_type)
    else:
        sums.count(metrics.UNFINISHED, 1, UNFINISHED[outcome.move], outcome.task_type)


def _add_waits(sums: Sums, claimed: Sequence[Claimed], at: datetime) -> None:
    """Add how long tasks waited for their first run. Tasks of one request have the same time in their tokens."""
    now = at.timestamp()
    first = [task for task in claimed if task.run == 1]
    alike = Counter([(task.task_type, task.token[:STAMP]) for task in first if task.due_at is None])
    for (task_type, stamp), number in alike.items():
        sums.observe_alike(metrics.WAIT_SECONDS, max(0.0, now - made_at(stamp) / 1000), number, task_type)
    for task in first:
        if task.due_at is not None:
            sums.observe(metrics.WAIT_SECONDS, [max(0.0, (at - task.due_at).total_seconds())], task.task_type)
