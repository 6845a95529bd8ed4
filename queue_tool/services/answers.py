"""Answers to those who send tasks: the same over HTTP and over RabbitMQ."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from msgspec import UNSET, UnsetType

from queue_tool.errors import BadTask
from queue_tool.model.batch import INVALID, Element, Refused, Submission, item_of
from queue_tool.model.new_task import Accepted, NewTask
from queue_tool.model.payloads.batches import FieldProblem, Received, ReceivedElement
from queue_tool.model.payloads.tasks import TaskStatus
from queue_tool.model.states import State
from queue_tool.model.task import Status
from queue_tool.services.ask import Ask


def received(submission: Submission, total: int | UnsetType = UNSET) -> Received:
    """Return the answer to a batch, or to more elements of an open batch, which then has `total` elements."""
    elements = [shown(element) for element in submission.elements]
    if submission.batch is None:
        return Received(processing_items=elements)
    return Received(processing_items=elements, batch=submission.batch, removed=submission.removed or UNSET, total=total)


def shown(element: Element) -> ReceivedElement:
    """Return what the answer to a request says about one element."""
    custom_id = UNSET if element.custom_id is None else element.custom_id
    if isinstance(element, Accepted):
        return ReceivedElement(hash=element.token, index=element.index, item=item_of(element.data), custom_id=custom_id)
    return ReceivedElement(
        hash=INVALID,
        index=element.index,
        item=element.item,
        errors=[FieldProblem(path=error.path, message=error.message) for error in element.errors],
        custom_id=custom_id,
        duplicate_of=element.duplicate_of or UNSET,
    )


def submitted(element: Element, ask: Ask, now: datetime | None) -> TaskStatus:
    """Return the answer to one task.

    Args:
        element: the task, or its refusal.
        ask: reads the state of a task that is not new.
        now: the current time; with it the answer to a new task is made without the database, which may be away by now.
            None: new tasks are run at once, so the database knows their state.

    Raises:
        BadTask: it was refused.
        TaskNotFound: the task of a repeated request was removed since.
        StoreAway: the database is busy or away, and is needed.
    """
    if isinstance(element, Refused):
        if element.duplicate_of is None:
            raise BadTask.because([asdict(error) for error in element.errors])
        return status(ask.task(element.duplicate_of), duplicate=True)
    custom_id = UNSET if element.custom_id is None else element.custom_id
    if isinstance(element, NewTask) and now is not None:
        state = State.SCHEDULED if element.options.must_wait(now) else State.QUEUED
        return status_of(element.token, state, element.task_type.name, None, custom_id=custom_id)
    return status(ask.task(element.token), custom_id=custom_id)


def status(task: Status, **more: Any) -> TaskStatus:
    """Return the id and the status of a task, and more fields of `TaskStatus`."""
    return status_of(task.token, task.state, task.task_type, task.batch, **more)


def status_of(token: str, state: State, task_type: str, batch: str | None, **more: Any) -> TaskStatus:
    """Return the id and the status of a task, from its fields."""
    return TaskStatus(
        task_id=token,
        id=token,
        token=token,
        status=state,
        message=state.message,
        task_type=task_type,
        batch=batch,
        **more,
    )
