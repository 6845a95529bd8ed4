"""Filters as conditions on the table of tasks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, literal_column, or_, select

from queue_tool.model import tokens
from queue_tool.model.filter import Filter
from queue_tool.model.queues import Priority
from queue_tool.store.engine.database import micros
from queue_tool.store.tables import batches, in_state, tags, tasks, workers

LAST_CHARACTER = "\U0010ffff"


def conditions(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    """Return conditions that together mean the tasks that a filter means."""
    yield from plain_conditions(wanted)
    yield from between(wanted)
    for choice in choices(wanted):
        yield or_(*choice)
    if wanted.tag is not None:
        yield tasks.c.id.in_(select(tags.c.task_id).where(tags.c.tag == wanted.tag))
    if wanted.worker is not None or wanted.host is not None:
        yield tasks.c.owner.in_(workers_meant(wanted))


def plain_conditions(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    """Return those of the conditions that are the same wherever the tasks are looked for."""
    if wanted.batch is not None:
        yield tasks.c.batch_id == select(batches.c.id).where(batches.c.public_id == wanted.batch).scalar_subquery()
    if wanted.task_type is not None:
        yield tasks.c.task_type == wanted.task_type
    if wanted.priority is not None:
        yield of_priority(wanted.priority)
    if wanted.code is not None:
        yield tasks.c.code == wanted.code.value
    if wanted.created_after is not None:
        yield tasks.c.created_at > micros(wanted.created_after)
    if wanted.created_before is not None:
        yield tasks.c.created_at < micros(wanted.created_before)
    if wanted.ended_before is not None:
        yield tasks.c.finished_at < micros(wanted.ended_before)


def choices(wanted: Filter) -> Iterator[list[ColumnElement[bool]]]:
    """Return lists of conditions, each of which has an index; of each list a task has to satisfy one."""
    if wanted.states:
        yield [in_state(state) for state in sorted(wanted.states)]
    if wanted.prefix is not None:
        yield [
            and_(column.is_not(None), column >= wanted.prefix, column < wanted.prefix + LAST_CHARACTER)
            for column in (tasks.c.name, tasks.c.custom_id, tasks.c.token)
        ]


def between(wanted: Filter, before: str | None = None) -> Iterator[ColumnElement[bool]]:
    """Return between which tokens the tasks are that were sent at a filter's times, and before one if it is given.

    No more than one bound on each side: of two an index knows only one.
    """
    if wanted.created_after is not None:
        yield tasks.c.token >= _stamp(wanted.created_after, -1)
    if before is not None:
        yield tasks.c.token < before
    elif wanted.created_before is not None:
        yield tasks.c.token < _stamp(wanted.created_before, 2)


def workers_meant(wanted: Filter) -> Select[tuple[int]]:
    """Return the rows of the workers that a filter means."""
    found = select(workers.c.id)
    if wanted.worker is not None:
        found = found.where(workers.c.name == wanted.worker)
    return found if wanted.host is None else found.where(workers.c.host == wanted.host)


def of_priority(priority: Priority) -> ColumnElement[bool]:
    """Return the condition of a priority, in the words of the indexes: the normal one has none."""
    mine = tasks.c.priority == literal_column(f"'{priority.value}'")
    if priority is Priority.NORMAL:
        return mine
    return mine & (tasks.c.priority != literal_column(f"'{Priority.NORMAL.value}'"))


def _stamp(time: datetime, more: int) -> str:
    """Return how tokens begin that were made so many milliseconds after a time: by them tasks are found by time."""
    return tokens.stamp(max(0, micros(time) // 1000 + more))
