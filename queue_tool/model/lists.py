"""Lists: in which RQ queues the tickets of a batch's new tasks wait."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from queue_tool.model.new_task import NewTask
from queue_tool.model.queues import Priority
from queue_tool.model.ticket import Ticket

_Kind = tuple[int, Priority | None, int]
"""What decides the list of a task, and whether it must wait: type, priority and timing."""


def lists_of(tasks: Sequence[NewTask], now: datetime) -> set[str]:
    """Return the names of the RQ queues for the tickets of those tasks that can start now."""
    return set(_by_kind(tasks, now, alike=are_of_one_kind(tasks)).values())


def tickets_of(tasks: Sequence[NewTask], now: datetime) -> list[Ticket]:
    """Return the tickets of those tasks that can start now."""
    alike = are_of_one_kind(tasks)
    lists = _by_kind(tasks, now, alike=alike)
    if alike:
        return [
            Ticket(token=task.token, run=1, list=name, task_type=tasks[0].task_type.name)
            for name in lists.values()
            for task in tasks
        ]
    return [
        Ticket(token=task.token, run=1, list=lists[kind], task_type=task.task_type.name)
        for task in tasks
        if (kind := _kind_of(task)) in lists
    ]


def _by_kind(tasks: Sequence[NewTask], now: datetime, *, alike: bool) -> dict[_Kind, str]:
    """Return the list of each kind of task that can start now. `alike` says that all are of one kind."""
    kinds = {_kind_of(task): task for task in (tasks[:1] if alike else tasks)}
    return {kind: task.list for kind, task in kinds.items() if not task.options.must_wait(now)}


def are_of_one_kind(tasks: Sequence[NewTask]) -> bool:
    """Return whether there are tasks, and all are of one kind, as in most batches. This is much faster than kinds."""
    if not tasks:
        return False
    task_type, priority, timing = tasks[0].task_type, tasks[0].options.priority, tasks[0].options.timing
    return all(
        task.task_type is task_type and (options := task.options).priority is priority and options.timing is timing
        for task in tasks
    )


def _kind_of(task: NewTask) -> _Kind:
    """Return the kind of a task. Objects count as different if they are not the same one, which is faster."""
    options = task.options
    return id(task.task_type), options.priority, id(options.timing)
