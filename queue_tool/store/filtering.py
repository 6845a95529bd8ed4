"""Filters as SQL conditions on the table of tasks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, and_, bindparam, func, literal_column, or_, select

from queue_tool.model import tokens
from queue_tool.model.filter import Filter
from queue_tool.model.queues import Priority
from queue_tool.model.states import State
from queue_tool.store.driving import Indexed
from queue_tool.store.engine.database import micros
from queue_tool.store.tables import batches, in_state, tags, tasks, workers

_SURROGATES = 0xD800, 0xDFFF  # code points that no text can contain


def conditions(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    """Return the conditions that a task must satisfy to match a filter."""
    yield from (each.condition for each in indexed(wanted))
    yield from unindexed(wanted)
    yield from between(wanted)
    if wanted.states:
        yield or_(*(in_state(state) for state in sorted(wanted.states)))
    for choice in prefixes(wanted):
        yield or_(*(each.condition for each in choice))
    if wanted.tag is not None:
        yield tasks.c.id.in_(select(tags.c.task_id).where(tags.c.tag == wanted.tag))
    if wanted.worker is not None or wanted.host is not None:
        yield tasks.c.owner.in_(matching_workers(wanted))


def indexed(wanted: Filter, state: State | None = None, batch: int | None = None) -> Iterator[Indexed]:
    """Return the conditions that have an index each, and do not depend on how the query is split into parts.

    Args:
        wanted: the filter.
        state: the state of all tasks that the query is about; None: any. Failed tasks have indexes of their own.
        batch: the row of the filter's batch, if it is known: PostgreSQL then knows whether it is a large one.
    """
    failed = [in_state(State.FAILED)] if state is State.FAILED or wanted.code is not None else []
    if wanted.batch is not None:
        known = bindparam("batch", batch, BigInteger, literal_execute=True)
        found = select(batches.c.id).where(batches.c.public_id == wanted.batch).scalar_subquery()
        mine = found if batch is None else known
        yield Indexed(condition=and_(*failed, tasks.c.batch_id == mine))
    if wanted.task_type is not None:
        yield Indexed(condition=and_(*failed, tasks.c.task_type == wanted.task_type))
    if wanted.custom_id is not None:
        yield Indexed(condition=tasks.c.custom_id == wanted.custom_id)
    if wanted.code is not None:
        yield Indexed(condition=and_(*failed, tasks.c.code == wanted.code.value))  # no other task has a code
    if wanted.priority not in (None, Priority.NORMAL):
        queued = [in_state(State.QUEUED)] if state is State.QUEUED else []
        yield Indexed(condition=and_(*queued, of_priority(wanted.priority)))
    if state is not None:
        yield Indexed(condition=in_state(state), order=None if state is State.RUNNING else tasks.c.id)


def place_of_batch(connection: Connection, wanted: Filter) -> tuple[int, list[ColumnElement[bool]]] | None:
    """Return the row of the filter's batch, and bounds of the ids of its tasks; None if there is no such batch.

    Tasks of a batch are neighbors, which no statistics say: without the bounds, PostgreSQL might walk through all tasks
    of a state, and would first read those of all later batches.
    """
    if wanted.batch is None:
        return None
    row = connection.execute(_PLACE, {"batch": wanted.batch}).first()
    if row is None:
        return None
    bounds = [tasks.c.id >= row.first, tasks.c.id <= row.last] if row.first is not None else []
    return row.id, bounds


def unindexed(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    """Return the other conditions that do not depend on how the query is split into parts."""
    if wanted.priority is Priority.NORMAL:
        yield of_priority(wanted.priority)
    if wanted.created_after is not None:
        yield tasks.c.created_at > micros(wanted.created_after)
    if wanted.created_before is not None:
        yield tasks.c.created_at < micros(wanted.created_before)
    if wanted.ended_before is not None:
        yield tasks.c.finished_at < micros(wanted.ended_before)


def prefixes(wanted: Filter) -> Iterator[list[Indexed]]:
    """Return lists of alternative conditions. A task must satisfy one condition of each list."""
    if wanted.prefix is not None:
        yield [_beginning(column, wanted.prefix) for column in (tasks.c.name, tasks.c.custom_id, tasks.c.token)]
    if wanted.token_prefix is not None:
        yield [_beginning(tasks.c.token, wanted.token_prefix)]


def _beginning(column: ColumnElement[str], prefix: str) -> Indexed:
    order = tasks.c.token if column is tasks.c.token else None
    return Indexed(condition=and_(column.is_not(None), *begins_with(column, prefix)), order=order)


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


_PLACE = select(
    batches.c.id,
    *(
        select(end(tasks.c.id)).where(tasks.c.batch_id == batches.c.id).scalar_subquery().label(name)
        for name, end in (("first", func.min), ("last", func.max))
    ),
).where(batches.c.public_id == bindparam("batch"))


def _stamp(time: datetime, more: int) -> str:
    """Return the beginning of the tokens that were made `more` milliseconds after a time."""
    return tokens.stamp(max(0, micros(time) // 1000 + more))
