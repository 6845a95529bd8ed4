"""Filters as SQL conditions on the table of tasks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, literal_column, or_, select

from queue_tool.model import tokens
from queue_tool.model.filter import Filter
from queue_tool.model.queues import Priority
from queue_tool.store.engine.database import micros
from queue_tool.store.tables import batches, in_state, tags, tasks, workers

_SURROGATES = 0xD800, 0xDFFF  # code points that no text can contain


def conditions(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    """Return the conditions that a task must satisfy to match a filter."""
    yield from plain_conditions(wanted)
    yield from between(wanted)
    for choice in choices(wanted):
        yield or_(*choice)
    if wanted.tag is not None:
        yield tasks.c.id.in_(select(tags.c.task_id).where(tags.c.tag == wanted.tag))
    if wanted.worker is not None or wanted.host is not None:
        yield tasks.c.owner.in_(matching_workers(wanted))


def plain_conditions(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    """Return the conditions that do not depend on how the query is split into parts."""
    if wanted.batch is not None:
        yield tasks.c.batch_id == select(batches.c.id).where(batches.c.public_id == wanted.batch).scalar_subquery()
    if wanted.task_type is not None:
        yield tasks.c.task_type == wanted.task_type
    if wanted.custom_id is not None:
        yield tasks.c.custom_id == wanted.custom_id
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
    """Return lists of alternative conditions. A task must satisfy one condition of each list.

    Every condition has its own index.
    """
    if wanted.states:
        yield [in_state(state) for state in sorted(wanted.states)]
    if wanted.prefix is not None:
        yield [
            and_(column.is_not(None), *begins_with(column, wanted.prefix))
            for column in (tasks.c.name, tasks.c.custom_id, tasks.c.token)
        ]
    if wanted.token_prefix is not None:
        yield [and_(*begins_with(tasks.c.token, wanted.token_prefix))]


def begins_with(column: ColumnElement[str], prefix: str) -> Iterator[ColumnElement[bool]]:
    """Return the conditions that a text begins with a prefix, as a range: an index in byte order can use it."""
    yield column >= prefix
    end = _after_all_that_begin_with(prefix)
    if end:
        yield column < end


def _after_all_that_begin_with(prefix: str) -> str:
    """Return the first text after all texts with this prefix, or an empty text if none comes after them.

    The order is that of code points, which is also the order of the bytes of UTF-8.
    """
    shorter = prefix.rstrip(chr(sys.maxunicode))
    if not shorter:
        return ""
    following = ord(shorter[-1]) + 1
    return shorter[:-1] + chr(_SURROGATES[1] + 1 if following == _SURROGATES[0] else following)


def between(wanted: Filter, before: str | None = None) -> Iterator[ColumnElement[bool]]:
    """Return the bounds on tokens that follow from a filter's submission times, because tokens are ordered by time.

    There is at most one bound on each side, because an index uses only one.

    Args:
        wanted: the filter.
        before: a token that is the upper bound, if given.
    """
    if wanted.created_after is not None:
        yield tasks.c.token >= _stamp(wanted.created_after, -1)
    if before is not None:
        yield tasks.c.token < before
    elif wanted.created_before is not None:
        yield tasks.c.token < _stamp(wanted.created_before, 2)


def matching_workers(wanted: Filter) -> Select[tuple[int]]:
    """Return the query for the ids of the workers that match a filter."""
    found = select(workers.c.id)
    if wanted.worker is not None:
        found = found.where(workers.c.name == wanted.worker)
    return found if wanted.host is None else found.where(workers.c.host == wanted.host)


def of_priority(priority: Priority) -> ColumnElement[bool]:
    """Return the condition of a priority, written exactly as in the indexes. The normal priority has no index."""
    mine = tasks.c.priority == literal_column(f"'{priority.value}'")
    if priority is Priority.NORMAL:
        return mine
    return mine & (tasks.c.priority != literal_column(f"'{Priority.NORMAL.value}'"))


def _stamp(time: datetime, more: int) -> str:
    """Return the beginning of the tokens that were made `more` milliseconds after a time."""
    return tokens.stamp(max(0, micros(time) // 1000 + more))
