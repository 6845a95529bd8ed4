"""Adding batches and tasks: one row for the batch, and one for each of its tasks, tags and refusals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
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
    update,
)
from sqlalchemy.types import TypeEngine

from queue_tool.model import json_text
from queue_tool.model.batch import Label, NewBatch, NewTask, Refused
from queue_tool.model.continuation import Continuation, parent_of_batch
from queue_tool.model.options import PLAIN
from queue_tool.model.states import State
from queue_tool.store import continuing, ends, line
from queue_tool.store.engine.database import micros, micros_or_none
from queue_tool.store.engine.direct import Direct
from queue_tool.store.engine.rows import as_rows, entry, field
from queue_tool.store.listening import begin_own
from queue_tool.store.tables import batches, labels, refusals, tasks
from queue_tool.store.tagging import add_tags

ROWS = 5000
"""The most tasks that one statement adds."""

FORMS = 64
"""Forms of the statement that are kept: one for each set of columns in which the tasks of a batch differ."""


def add_batch(connection: Connection, new: NewBatch, *, held: bool, sender: int = 0) -> int:
    """Add a batch with its tasks, tags, refusals and labels. Return the id of the batch's row.

    Args:
        connection: the connection of a transaction that writes.
        new: the batch.
        held: whether its tickets wait in line until Redis has room.
        sender: the number of the process that pushes them next; 0: a sweeper does it.
    """
    row = batch_row(new, held=held, sender=sender)
    batch_id: int = _ADD_BATCH.first(connection, row)[0]
    waits_with_others = held and len(new.accepted) <= line.SMALL
    pushed_at = None if waits_with_others else micros(new.created_at)
    add_tasks(connection, new.accepted, batch_id, new.created_at, pushed_at)
    if waits_with_others:
        line.join_others(connection, new.lists)
    elif held:
        line.join(connection, [(new.id, name) for name in sorted(new.lists)])
    add_refusals(connection, new.refused, batch_id)
    add_labels(connection, new.label, batch_id)
    continuing.keep(connection, {parent_of_batch(new.id): new.on_finished})
    if not new.accepted:
        ends.tell_of_new_batch(connection, new.id, new.created_at)
    return batch_id


def add_refusals(connection: Connection, refused: Sequence[Refused], batch_id: int) -> None:
    """Add the refused elements of a batch."""
    if refused:
        connection.execute(insert(refusals), _refusal_rows(refused, batch_id))


def add_labels(connection: Connection, label: Label, batch_id: int) -> None:
    """Add the metadata of a batch, for filters, and note that it has a webhook of its own."""
    if label.webhook:
        begin_own(connection)
    if label.metadata:
        rows = [{"key": key, "value": value, "batch_id": batch_id} for key, value in label.metadata.items()]
        connection.execute(insert(labels), rows)


def label_columns(label: Label) -> dict[str, str | None]:
    """Return the columns of a batch that hold its label."""
    metadata = _text(dict(label.metadata)) if label.metadata else None
    return {"name": label.name, "metadata": metadata, "webhook": label.webhook}


def add_tasks(
    connection: Connection, new: Sequence[NewTask], batch_id: int | None, now: datetime, pushed_at: int | None
) -> None:
    """Add tasks with their tags, in the given order.

    Args:
        connection: the connection of a transaction that writes.
        new: the tasks.
        batch_id: the row of their batch, if they have one.
        now: when the tasks were submitted.
        pushed_at: the column of this name. For the tasks of a batch, the batch's row and its place in line say which of
            them are pushed.
    """
    shared: dict[str, object] = {"batch_id": batch_id, "created_at": micros(now)}
    for start in range(0, len(new), ROWS):
        part = new[start : start + ROWS]
        alike, different = _columns(part, now, pushed_at)
        texts = (_text(task.data) for task in part)
        rows = zip(
            (task.token for task in part), (task.index for task in part), texts, *different.values(), strict=True
        )
        _add(tuple(different)).run(connection, shared | alike | as_rows(rows))
    _add_more(connection, new)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTasks:
    """The tasks of one request, among those of many requests."""

    tasks: Sequence[NewTask]
    batch: NewBatch | None  # None: a task without a batch
    created_at: datetime
    held: bool  # whether its tickets wait in line until Redis has room
    sender: int = 0  # the number of the process that pushes the tickets next; 0: a sweeper does it


def being_pushed(sender: int, *, held: bool) -> int | None:
    """Return the column `pushed_at` of a new task without a batch, which its sender pushes next."""
    return -sender if sender and not held else None


def add_many(connection: Connection, requests: Sequence[NewTasks]) -> None:
    """Add the batches and tasks of many small requests, in the given order. Their elements are all accepted.

    Args:
        connection: the connection of a transaction that writes.
        requests: the tasks of each request.
    """
    rows = [batch_row(each.batch, held=each.held, sender=each.sender) for each in requests if each.batch is not None]
    if rows:
        _ADD_BATCHES.run_each(connection, rows)
    _ADD_MIXED.run(connection, as_rows(row for each in requests for row in mixed_rows(each)))
    _add_more(connection, [task for each in requests for task in each.tasks])
    line.join_others(connection, {task.list for each in requests if each.held for task in each.tasks})


def mixed_rows(request: NewTasks) -> Iterator[tuple[object, ...]]:
    """Return the fields of each task of a request: those of `mixed_columns`, and last the id of its batch."""
    batch, now = request.batch, request.created_at
    if batch is None:
        pushed_at = being_pushed(request.sender, held=request.held)
    else:
        pushed_at = None if request.held else micros(now)
    for task in request.tasks:
        own = _own(task, now, pushed_at)
        yield task.token, task.index, _text(task.data), *own, micros(now), batch and batch.id


def batch_row(new: NewBatch, *, held: bool, sender: int) -> dict[str, object]:
    """Return the columns of a new batch; the arguments are those of `add_batch`."""
    now = micros(new.created_at)
    pushable = not held and any(not task.options.must_wait(new.created_at) for task in new.accepted)
    return {
        "public_id": new.id,
        **ends.of_new_batch(len(new.accepted), new.scheduled, new.created_at),
        "rejected": len(new.refused),
        "created_at": now,
        "pushed_at": None if pushable else now,
        "push_failed_at": -sender if sender and pushable else None,
        **label_columns(new.label),
        **continuing_columns(new.on_finished),
    }


def continuing_columns(on_finished: Sequence[Continuation]) -> dict[str, int]:
    """Return the columns of a batch that say whether it has continuations."""
    return {"continues": 1} if on_finished else {}


def _add_more(connection: Connection, new: Sequence[NewTask]) -> None:
    """Add what few tasks have: tags, continuations, and webhooks of their own."""
    special = [task for task in new if task.options is not PLAIN]
    add_tags(connection, {task.token: task.options.tags for task in special if task.options.tags})
    continuing.keep_of_tasks(connection, special)
    webhooks = [(task.token, task.options.webhook) for task in special if task.options.webhook]
    if webhooks:
        begin_own(connection)
        connection.execute(_SET_WEBHOOKS, as_rows(webhooks))


def _text(value: object) -> str:
    return json_text.dumps(value).decode()


def _columns(
    part: Sequence[NewTask], now: datetime, pushed_at: int | None
) -> tuple[dict[str, object], dict[str, Sequence[object]]]:
    """Return the columns of tasks except token, position and data, by name.

    The database reads a value that all tasks share once, and each other value from a JSON text, which takes longer.

    Returns:
        The value of each column in which all tasks are alike, and the values of each other column.
    """
    first = part[0]
    if all(task.task_type is first.task_type and task.options is first.options for task in part):
        return dict(zip(_OWN, _own(first, now, pushed_at), strict=True)), {}
    columns = zip(*(_own(task, now, pushed_at) for task in part), strict=True)
    found: dict[str, Sequence[object]] = dict(zip(_OWN, columns, strict=True))
    alike = {name: values[0] for name, values in found.items() if len(set(values)) == 1}
    return alike, {name: values for name, values in found.items() if name not in alike}


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


_ADD_BATCHES = Direct(insert(batches))
_ADD_BATCH = Direct(insert(batches).returning(batches.c.id))

_QUEUED, _SCHEDULED = State.QUEUED.value, State.SCHEDULED.value


def _refusal_rows(refused: Sequence[Refused], batch_id: int) -> list[dict[str, object]]:
    return [
        {
            "batch_id": batch_id,
            "position": refusal.index,
            "item": _text(refusal.item),
            "errors": _text([asdict(error) for error in refusal.errors]),
            "custom_id": refusal.custom_id,
            "duplicate_of": refusal.duplicate_of,
        }
        for refusal in refused
    ]


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

_FIRST: dict[str, Any] = {"run": literal_column("1"), "attempt": literal_column("1"), "losses": literal_column("0")}

_COLUMNS: dict[str, Any] = _FIRST | {
    "token": field(0),
    "position": field(1, Integer()),
    "data": field(2),
    "batch_id": bindparam("batch_id", type_=BigInteger),
    "created_at": bindparam("created_at", type_=BigInteger),
}


@lru_cache(FORMS)
def _add(different: tuple[str, ...]) -> Direct:
    """Return the INSERT of tasks that differ in these columns of `_OWN`, whose fields follow the first three."""
    shared: dict[str, Any] = {name: bindparam(name, type_=kind) for name, kind in _OWN.items()}
    fields = {name: _field(number, _OWN[name]) for number, name in enumerate(different, start=3)}
    return _insert(_COLUMNS | shared | fields)


def _insert(columns: dict[str, Any]) -> Direct:
    return Direct(insert(tasks).from_select(list(columns), select(*columns.values())))


def _field(number: int, kind: TypeEngine[Any], of: FromClause = entry) -> ColumnElement[Any]:
    return field(number, None if isinstance(kind, Text) else kind, of)


def mixed_columns(rows: FromClause) -> dict[str, Any]:
    """Return the columns of new tasks, except their batch, from a table like `entry` of `mixed_rows`."""
    kinds: dict[str, TypeEngine[Any]] = {"token": Text(), "position": Integer(), "data": Text()}
    kinds |= _OWN | {"created_at": BigInteger()}
    return _FIRST | {name: _field(number, kind, rows) for number, (name, kind) in enumerate(kinds.items())}


BATCH_FIELD = 4 + len(_OWN)
"""The place of the batch's id in `mixed_rows`, the last one."""

_BATCH_ID = select(batches.c.id).where(batches.c.public_id == field(BATCH_FIELD)).scalar_subquery()
_ADD_MIXED = _insert(mixed_columns(entry) | {"batch_id": _BATCH_ID})

_SET_WEBHOOKS = update(tasks).where(tasks.c.token == field(0)).values(webhook=field(1))
