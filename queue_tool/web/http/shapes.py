"""What answers say about tasks, batches and queues, made from what the services return."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from msgspec import UNSET, UnsetType, structs

from queue_tool.errors import TaskNotFound
from queue_tool.model import batch as model
from queue_tool.model import json_text, outcome, task_types
from queue_tool.model.batch import item_of
from queue_tool.model.continuation import ShownContinuation, batch_in, task_in
from queue_tool.model.details import Details, QueueCounts, Summary
from queue_tool.model.payloads.batches import Batch, BatchCounts, BatchStatus, BatchSummary
from queue_tool.model.payloads.details import EventKind, FailedAttempt, LogLine, TaskDetails, TimelineEvent
from queue_tool.model.payloads.lists import Queue, TaskType
from queue_tool.model.payloads.tasks import (
    Check,
    CheckedToken,
    EndedTask,
    Follower,
    StatusOnly,
    TaskError,
    TaskResult,
    TaskSummary,
)
from queue_tool.model.states import Code, State
from queue_tool.model.task import Status
from queue_tool.model.times import rfc3339
from queue_tool.services.answers import status
from queue_tool.web.http.answers import rfc3339_or_none

LONGEST_IN_LISTS = 1000
"""Characters of an item or a result in a list. The details of a task have all of it."""


def check(task: Status) -> Check:
    """Return a task as `/check` shows it: the fields that a client without an API key may read."""
    return Check(
        message=task.state.message,
        token=task.token,
        batch=task.batch,
        task_type=task.task_type,
        item=item_of(json_text.loads(task.data)),
        status=task.state,
        attempt=task.begun_attempt,
        created_at=rfc3339(task.created_at),
        started_at=rfc3339_or_none(task.started_at),
        finished_at=rfc3339_or_none(task.finished_at),
        duration=task.duration,
        progress=task.progress,
        note=task.note,
        result=json_text.raw(task.result),
        error=error(task),
    )


def checked(token: str, state: State | None) -> CheckedToken:
    """Return the state of one of many tokens; None for an unknown one."""
    if state is None:
        return CheckedToken(hash=token, message=TaskNotFound.default_sentence(), status="unknown")
    return CheckedToken(hash=token, message=state.message, status=state)


def status_only(task: Status) -> StatusOnly:
    """Return the id and the status of a task, and no more."""
    token, state = task.token, task.state
    return StatusOnly(task_id=token, id=token, token=token, status=state, message=state.message)


def result(task: Status) -> TaskResult:
    """Return the result of a task, which may not have ended."""
    return TaskResult(
        **structs.asdict(status(task)),
        data=json_text.raw(task.data),
        result=json_text.raw(task.result),
        error=error(task),
        created_at=rfc3339(task.created_at),
        started_at=rfc3339_or_none(task.started_at),
        finished_at=rfc3339_or_none(task.finished_at),
        duration=task.duration,
    )


def summary(task: Summary) -> TaskSummary:
    """Return a task as a list shows it: a long item is cut."""
    item, is_cut = _short(item_of(json_text.loads(task.data)))
    return TaskSummary(**_fields(task), item=item, shortened=["item"] if is_cut else UNSET)


def ended(task: Summary) -> EndedTask:
    """Return an ended task as the list of results shows it: a long item and a long result are cut."""
    item, item_is_cut = _short(item_of(json_text.loads(task.data)))
    if task.result is None or len(task.result) <= LONGEST_IN_LISTS:
        result, result_is_cut = json_text.raw(task.result), False
    else:
        result, result_is_cut = _short(json_text.loads(task.result))
    cut = [name for name, is_cut in (("item", item_is_cut), ("result", result_is_cut)) if is_cut]
    return EndedTask(**_fields(task), item=item, result=result, shortened=cut or UNSET)


def _short(value: object) -> tuple[Any, bool]:
    """Return a value as a list shows it, and whether it was cut."""
    text = value if isinstance(value, str) else json_text.dumps(value).decode()
    return (value, False) if len(text) <= LONGEST_IN_LISTS else (f"{text[: LONGEST_IN_LISTS - 1]}…", True)


def _fields(task: Summary) -> dict[str, Any]:
    """Return the fields of a summary but its item."""
    return {
        "task_id": task.token,
        "id": task.token,
        "token": task.token,
        "status": task.state,
        "message": task.state.message,
        "task_type": task.task_type,
        "batch": task.batch,
        "name": task.name,
        "custom_id": task.custom_id,
        "tags": task.tags,
        "priority": task.priority,
        "attempt": task.begun_attempt,
        "created_at": rfc3339(task.created_at),
        "due_at": rfc3339_or_none(task.due_at),
        "started_at": rfc3339_or_none(task.started_at),
        "finished_at": rfc3339_or_none(task.finished_at),
        "duration": task.duration,
        "progress": task.progress,
        "note": task.note,
        "worker": task.worker,
        "host": task.host,
        "error": error(task),
    }


def details(task: Details) -> TaskDetails:
    """Return everything about a task."""
    return TaskDetails(
        **_fields(task),
        item=item_of(json_text.loads(task.data)),
        index=task.index,
        data=json_text.raw(task.data),
        description=task.description,
        parameters=json_text.raw(task.parameters),
        unique_key=task.unique_key,
        timeout=task.timeout,
        max_attempts=task.max_attempts,
        expires_at=rfc3339_or_none(task.expires_at),
        run=task.run,
        losses=task.losses,
        result=json_text.raw(task.result),
        canceled_by=task.canceled_by,
        cancel_reason=task.cancel_reason,
        canceled_key=task.canceled_key,
        attempts=[_attempt(attempt) for attempt in task.attempts],
        timeline=list(_timeline(task)),
        log=[LogLine(at=rfc3339(line.at), run=line.run, text=line.text) for line in task.lines],
        on_finished=_followers(task.on_finished),
        parent_batch=batch_in(task.parent) or UNSET,
        parent=task_in(task.parent) or UNSET,
        webhook=task.webhook or UNSET,
    )


def error(task: Status) -> TaskError | None:
    """Return the error of a failed task; None if it did not fail."""
    return None if task.code is None else TaskError(code=task.code, message=task.error)


def batch(found: model.Batch) -> Batch:
    """Return a batch with its counts."""
    counts = {state.value: count for state, count in found.counts.items()}
    return Batch(
        **_batch(found),
        counts=BatchCounts(**counts, rejected=found.rejected),
        on_finished=_followers(found.on_finished),
    )


def _followers(declared: Sequence[ShownContinuation]) -> list[Follower] | UnsetType:
    return [Follower(when=each.when, task_type=each.task_type, tokens=list(each.tokens)) for each in declared] or UNSET


def batch_summary(found: model.Batch) -> BatchSummary:
    """Return a batch as a list shows it."""
    return BatchSummary(**_batch(found))


def _batch(found: model.Batch) -> dict[str, Any]:
    return {
        "id": found.id,
        "message": found.message,
        "status": BatchStatus.RUNNING if found.finished_at is None else BatchStatus.FINISHED,
        "name": found.label.name,
        "metadata": found.label.metadata,
        "total": found.total,
        "accepted": found.accepted,
        "rejected": found.rejected,
        "open": found.open,
        "progress": found.progress,
        "created_at": rfc3339(found.created_at),
        "finished_at": rfc3339_or_none(found.finished_at),
        "sealed": not found.is_open,
        "sealed_by": found.sealed_by,
    }


def queue(counts: QueueCounts, now: datetime) -> Queue:
    """Return the state of a queue at a time."""
    return Queue(
        name=counts.priority.queue,
        priority=counts.priority,
        waiting=counts.waiting,
        running=counts.running,
        oldest=rfc3339_or_none(counts.oldest),
        age=None if counts.oldest is None else max(0.0, (now - counts.oldest).total_seconds()),
        paused=counts.paused_at is not None,
        paused_at=rfc3339_or_none(counts.paused_at),
    )


def task_type(kind: task_types.TaskType, timeout: float, max_attempts: int) -> TaskType:
    """Return a task type.

    Args:
        kind: the type.
        timeout: seconds, for a type without a timeout of its own.
        max_attempts: for a type without a maximum of its own.
    """
    chosen = timeout if kind.timeout is None else kind.timeout
    return TaskType(
        name=kind.name,
        description=kind.description,
        schema=kind.schema.document,
        priority=kind.priority,
        lane=kind.lane,
        timeout=None if callable(chosen) else chosen,
        max_attempts=kind.max_attempts or max_attempts,
    )


def _attempt(attempt: outcome.Attempt) -> FailedAttempt:
    return FailedAttempt(
        attempt=attempt.attempt,
        run=attempt.run,
        worker=attempt.worker,
        started_at=rfc3339_or_none(attempt.started_at),
        ended_at=rfc3339(attempt.ended_at),
        code=attempt.code,
        error=attempt.error,
        traceback=attempt.traceback,
    )


def _timeline(task: Details) -> Iterator[TimelineEvent]:
    """Return the events of a task, oldest first."""
    yield TimelineEvent(at=rfc3339(task.created_at), event=EventKind.CREATED, run=None)
    for attempt in task.attempts:
        if attempt.started_at:
            yield TimelineEvent(at=rfc3339(attempt.started_at), event=EventKind.STARTED, run=attempt.run)
        yield _end(attempt.ended_at, attempt.code, attempt.run)
    if task.run in {attempt.run for attempt in task.attempts}:
        return
    if task.started_at:
        yield TimelineEvent(at=rfc3339(task.started_at), event=EventKind.STARTED, run=task.run)
    if task.finished_at:
        yield _end(task.finished_at, task.code or task.state, task.run)


def _end(at: datetime, how: str, run: int) -> TimelineEvent:
    """Return the event with which a run ended: a failure with its code, or an ended state."""
    if how in list(Code):
        return TimelineEvent(at=rfc3339(at), event=EventKind.FAILED, code=Code(how), run=run)
    event = EventKind.CANCELED if how == State.CANCELED else EventKind.FINISHED
    return TimelineEvent(at=rfc3339(at), event=event, run=run)
