"""The rows of new tasks: the columns of each task, and the INSERT that adds thousands of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Float,
    FromClause,
    Integer,
    Text,
    bindparam,
    insert,
    literal_column,
    select,
)
from sqlalchemy.types import TypeEngine

from queue_tool.model import json_text
from queue_tool.model.lists import are_of_one_kind
from queue_tool.model.new_task import NewTask
from queue_tool.model.states import State
from queue_tool.store.engine.bulk import BulkInsert, Column, Field
from queue_tool.store.engine.database import micros, micros_or_none
from queue_tool.store.engine.direct import Direct
from queue_tool.store.engine.rows import as_rows, entry, field
from queue_tool.store.tables import batches, tasks

FORMS = 64
"""Forms of the statement that are kept: one for each set of columns in which the tasks of a batch differ."""


def insert_tasks(
    connection: Connection, new: Sequence[NewTask], batch_id: int | None, now: datetime, pushed_at: int | None
) -> None:
    """Insert the rows of tasks, in the given order. The arguments are those of `adding.add_tasks`."""
    if not new:
        return
    alike, different = _columns(new, now, pushed_at)
    texts = [data_text(task.data) for task in new]
    values: list[Sequence[object]] = [
        [task.token for task in new],
        [task.index for task in new],
        texts,
        *different.values(),
    ]
    shared = {"batch_id": batch_id, "created_at": micros(now), **alike}
    _insert_of(tuple(different))(connection, shared, values)


def insert_mixed(connection: Connection, rows: Iterable[tuple[object, ...]]) -> None:
    """Insert the rows of tasks of several requests, as `mixed_row` returns them."""
    _INSERT_MIXED.run(connection, as_rows(rows))


def mixed_row(task: NewTask, now: datetime, pushed_at: int | None, batch: str | None) -> tuple[object, ...]:
    """Return the row of a task of a batch, which is named by its public id; None: a task without a batch."""
    own = _own(task, now, pushed_at)
    return task.token, task.index, data_text(task.data), *own, micros(now), batch


def data_text(value: object) -> str:
    """Return a value as it is stored: its JSON text."""
    return json_text.dumps(value).decode()


def _columns(
    new: Sequence[NewTask], now: datetime, pushed_at: int | None
) -> tuple[dict[str, object], dict[str, Sequence[object]]]:
    """Return the columns of tasks except token, position and data, by name.

    The database reads a value that all tasks share only once.

    Returns:
        The value of each column in which all tasks are alike, and the values of each other column.
    """
    first = new[0]
    if all(task.task_type is first.task_type and task.options is first.options for task in new):
        return dict(zip(_OWN, _own(first, now, pushed_at), strict=True)), {}
    found: dict[str, Sequence[object]]
    if are_of_one_kind(new):  # as in most batches; to read columns is much faster than to make rows
        known = dict(zip(_OWN, _own(first, now, pushed_at), strict=True))
        options = [task.options for task in new]
        found = {name: list(map(attrgetter(name), options)) for name in _OPTIONS}
    else:
        known = {}
        columns = zip(*(_own(task, now, pushed_at) for task in new), strict=True)
        found = dict(zip(_OWN, columns, strict=True))
    alike = {name: values[0] for name, values in found.items() if values.count(values[0]) == len(values)}
    different = {name: values for name, values in found.items() if name not in alike}
    return {name: value for name, value in (known | alike).items() if name not in different}, different


def _own(task: NewTask, now: datetime, pushed_at: int | None) -> tuple[object, ...]:
    """Return the values of the columns in `_OWN`."""
    options, kind = task.options, task.task_type
    timing = options.timing
    waits = timing.due_at is not None and options.must_wait(now)
    return (
        kind.name,
        task.priority.value,
        kind.lane.value,
        _SCHEDULED if waits else _QUEUED,
        # The batch's own `pushed_at` and its place in line decide whether the tickets really are in Redis.
        None if waits else pushed_at,
        micros_or_none(timing.due_at),
        micros_or_none(timing.expires_at),
        options.max_attempts,
        options.timeout,
        options.name,
        options.custom_id,
        options.description,
        options.parameters,
        options.unique_key,
    )


_OWN: dict[str, TypeEngine[Any]] = {
    "task_type": Text(),
    "priority": Text(),
    "lane": Text(),
    "state": Text(),
    "pushed_at": BigInteger(),
    "due_at": BigInteger(),
    "expires_at": BigInteger(),
    "max_attempts": Integer(),
    "timeout": Float(),
    "name": Text(),
    "custom_id": Text(),
    "description": Text(),
    "parameters": Text(),
    "unique_key": Text(),
}

_OPTIONS = ("max_attempts", "timeout", "name", "custom_id", "description", "parameters", "unique_key")
"""The columns in which tasks of one kind can differ. They have the names of the options."""

_FIRST: dict[str, ColumnElement[Any]] = {
    "run": literal_column("1"),
    "attempt": literal_column("1"),
    "losses": literal_column("0"),
}

_COLUMNS: dict[str, Column] = {
    **_FIRST,
    "token": Field(0),
    "position": Field(1, Integer()),
    "data": Field(2),
    "batch_id": bindparam("batch_id", type_=BigInteger),
    "created_at": bindparam("created_at", type_=BigInteger),
}


def _json_kind(kind: TypeEngine[Any]) -> TypeEngine[Any] | None:
    return None if isinstance(kind, Text) else kind  # what is no text must be cast


@lru_cache(FORMS)
def _insert_of(different: tuple[str, ...]) -> BulkInsert:
    """Return the INSERT of tasks that differ in these columns of `_OWN`, whose fields follow the first three."""
    shared: dict[str, Column] = {name: bindparam(name, type_=kind) for name, kind in _OWN.items()}
    fields = {name: Field(number, _json_kind(_OWN[name])) for number, name in enumerate(different, start=3)}
    return BulkInsert(tasks, {**_COLUMNS, **shared, **fields})


def mixed_columns(rows: FromClause) -> dict[str, ColumnElement[Any]]:
    """Return the columns of new tasks, except their batch, from a table like `entry` of what `mixed_row` returns."""
    kinds: dict[str, TypeEngine[Any]] = {"token": Text(), "position": Integer(), "data": Text()}
    kinds |= _OWN | {"created_at": BigInteger()}
    read = {name: field(number, _json_kind(kind), rows) for number, (name, kind) in enumerate(kinds.items())}
    return _FIRST | read


BATCH_FIELD = 4 + len(_OWN)
"""The place of the batch's id in what `mixed_row` returns, the last one."""

_BATCH_ID = select(batches.c.id).where(batches.c.public_id == field(BATCH_FIELD)).scalar_subquery()
_MIXED = mixed_columns(entry) | {"batch_id": _BATCH_ID}
_INSERT_MIXED = Direct(insert(tasks).from_select(list(_MIXED), select(*_MIXED.values())))

_QUEUED, _SCHEDULED = State.QUEUED.value, State.SCHEDULED.value
