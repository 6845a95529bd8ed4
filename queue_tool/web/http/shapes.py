"""The JSON form of tasks, batches and queues."""

from __future__ import annotations

from datetime import datetime

from queue_tool.model import json_text
from queue_tool.model.batch import Batch, item_of
from queue_tool.model.details import Details, QueueCounts, Summary
from queue_tool.model.outcome import Attempt
from queue_tool.model.states import State
from queue_tool.model.task import Status
from queue_tool.web.http.answers import rfc3339

LONGEST_IN_LISTS = 1000
"""Characters of an item or a result in a list. The details of a task have all of it."""


def check(task: Status) -> dict[str, object]:
    """Return a task as `/check` shows it: the fields that a client without an API key may read."""
    return {
        "message": task.state.message,
        "token": task.token,
        "batch": task.batch,
        "task_type": task.task_type,
        "item": item_of(json_text.loads(task.data)),
        "status": task.state,
        "attempt": task.attempt,
        "created_at": rfc3339(task.created_at),
        "started_at": rfc3339(task.started_at),
        "finished_at": rfc3339(task.finished_at),
        "duration": task.duration,
        "progress": task.progress,
        "note": task.note,
        "result": json_text.embed(task.result),
        "error": error(task),
    }


def standing(task: Status) -> dict[str, object]:
    """Return the id and the status of a task."""
    return standing_in(task.token, task.state, task.task_type, task.batch)


def standing_in(token: str, state: State, task_type: str, batch: str | None) -> dict[str, object]:
    """Return the id and the status of a task, from its fields."""
    return {
        "task_id": token,
        "token": token,
        "status": state,
        "message": state.message,
        "task_type": task_type,
        "batch": batch,
    }


def summary(task: Summary) -> dict[str, object]:
    """Return a task as a list shows it: a long item is cut."""
    return _with_short(_summary(task), "item", item_of(json_text.loads(task.data)))


def _summary(task: Summary) -> dict[str, object]:
    return standing(task) | {
        "name": task.name,
        "custom_id": task.custom_id,
        "tags": task.tags,
        "priority": task.priority,
        "item": None,
        "attempt": task.attempt,
        "created_at": rfc3339(task.created_at),
        "due_at": rfc3339(task.due_at),
        "started_at": rfc3339(task.started_at),
        "finished_at": rfc3339(task.finished_at),
        "duration": task.duration,
        "progress": task.progress,
        "note": task.note,
        "worker": task.worker,
        "host": task.host,
        "error": error(task),
    }


def ended(task: Summary) -> dict[str, object]:
    """Return an ended task as the list of results shows it."""
    shown = summary(task)
    if task.result is None or len(task.result) <= LONGEST_IN_LISTS:
        return shown | {"result": json_text.embed(task.result)}
    return _with_short(shown, "result", json_text.loads(task.result))


def _with_short(shown: dict[str, object], name: str, value: object) -> dict[str, object]:
    """Return the shape with a value. A long one is cut, and `shortened` names its key."""
    text = value if isinstance(value, str) else json_text.dumps(value).decode()
    if len(text) <= LONGEST_IN_LISTS:
        return shown | {name: value}
    names = shown.get("shortened", [])
    assert isinstance(names, list)  # noqa: S101 - this function wrote it
    return shown | {name: f"{text[: LONGEST_IN_LISTS - 1]}…", "shortened": [*names, name]}


def details(task: Details) -> dict[str, object]:
    """Return all fields of a task."""
    return _summary(task) | {
        "item": item_of(json_text.loads(task.data)),
        "index": task.index,
        "data": json_text.embed(task.data),
        "description": task.description,
        "parameters": json_text.embed(task.parameters),
        "unique_key": task.unique_key,
        "timeout": task.timeout,
        "max_attempts": task.max_attempts,
        "expires_at": rfc3339(task.expires_at),
        "run": task.run,
        "losses": task.losses,
        "result": json_text.embed(task.result),
        "canceled_by": task.canceled_by,
        "cancel_reason": task.cancel_reason,
        "canceled_key": task.canceled_key,
        "attempts": [_attempt(attempt) for attempt in task.attempts],
        "timeline": _timeline(task),
        "log": [{"at": rfc3339(line.at), "run": line.run, "text": line.text} for line in task.lines],
    }


def error(task: Status) -> dict[str, object] | None:
    """Return the error of a failed task; None if it did not fail."""
    return None if task.code is None else {"code": task.code, "message": task.error}


def batch(found: Batch) -> dict[str, object]:
    """Return a batch. If its counts were not read, the result has `open` instead of `counts`."""
    counts = {state.value: count for state, count in found.counts.items()} | {"rejected": found.rejected}
    return {
        "id": found.id,
        "message": found.message,
        "name": found.label.name,
        "metadata": found.label.metadata,
        "total": found.total,
        "accepted": found.accepted,
        "rejected": found.rejected,
        **({"counts": counts} if found.counts else {"open": found.open}),
        "progress": found.progress,
        "created_at": rfc3339(found.created_at),
        "finished_at": rfc3339(found.finished_at),
    }


def queue(counts: QueueCounts, age: float | None) -> dict[str, object]:
    """Return the state of a queue.

    Args:
        counts: the counts of its tasks, and whether it is paused.
        age: seconds for which its oldest task has waited; None if no task waits.
    """
    return {
        "name": counts.priority.queue,
        "priority": counts.priority,
        "waiting": counts.waiting,
        "running": counts.running,
        "oldest": rfc3339(counts.oldest),
        "age": age,
        "paused": counts.paused_at is not None,
        "paused_at": rfc3339(counts.paused_at),
    }


def _attempt(attempt: Attempt) -> dict[str, object]:
    return {
        "attempt": attempt.attempt,
        "run": attempt.run,
        "worker": attempt.worker,
        "started_at": rfc3339(attempt.started_at),
        "ended_at": rfc3339(attempt.ended_at),
        "code": attempt.code,
        "error": attempt.error,
        "traceback": attempt.traceback,
    }


def _timeline(task: Details) -> list[dict[str, object]]:
    """Return the events of a task, oldest first."""
    timeline: list[tuple[datetime, str, int | None]] = [(task.created_at, "created", None)]
    for attempt in task.attempts:
        timeline += [(attempt.started_at, "started", attempt.run)] if attempt.started_at else []
        timeline.append(
            (
                attempt.ended_at,
                attempt.code if attempt.code == State.CANCELED else f"failed: {attempt.code}",
                attempt.run,
            )
        )
    seen = {attempt.run for attempt in task.attempts}
    if task.started_at and task.run not in seen:
        timeline.append((task.started_at, "started", task.run))
    if task.finished_at and task.run not in seen:
        timeline.append((task.finished_at, task.state.value, task.run))
    return [{"at": rfc3339(at), "event": event, "run": run} for at, event, run in timeline]
