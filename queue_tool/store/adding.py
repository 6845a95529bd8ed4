"""Adding batches and tasks: one row for the batch, and one for each of its tasks, tags and refusals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import (
    Connection,
    insert,
    update,
)

from queue_tool.model.batch import Label, NewBatch, Refused
from queue_tool.model.continuation import parent_of_batch
from queue_tool.model.new_task import PLAIN, Continuation, NewTask
from queue_tool.store import continuing, ends, line
from queue_tool.store.engine.database import micros
from queue_tool.store.engine.direct import Direct
from queue_tool.store.engine.rows import as_rows, field
from queue_tool.store.listening import begin_own
from queue_tool.store.tables import batches, labels, refusals, tasks
from queue_tool.store.tagging import MANY, add_tags, add_tags_of_batch
from queue_tool.store.task_rows import data_text, insert_mixed, insert_tasks, mixed_row


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
    metadata = data_text(dict(label.metadata)) if label.metadata else None
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
    insert_tasks(connection, new, batch_id, now, pushed_at)
    _add_more(connection, new, batch_id)


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
    insert_mixed(connection, (row for each in requests for row in mixed_rows(each)))
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
        yield mixed_row(task, now, pushed_at, batch.id if batch else None)


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


def _add_more(connection: Connection, new: Sequence[NewTask], batch_id: int | None = None) -> None:
    """Add what few tasks have: tags, continuations, and webhooks of their own."""
    special = [task for task in new if task.options is not PLAIN]
    tagged = {task.token: task.options.tags for task in special if task.options.tags}
    if batch_id is not None and len(tagged) >= MANY:
        add_tags_of_batch(connection, batch_id, new)
    else:
        add_tags(connection, tagged)
    continuing.keep_of_tasks(connection, special)
    webhooks = [(task.token, task.options.webhook) for task in special if task.options.webhook]
    if webhooks:
        begin_own(connection)
        connection.execute(_SET_WEBHOOKS, as_rows(webhooks))


_ADD_BATCHES = Direct(insert(batches))
_ADD_BATCH = Direct(insert(batches).returning(batches.c.id))


def _refusal_rows(refused: Sequence[Refused], batch_id: int) -> list[dict[str, object]]:
    return [
        {
            "batch_id": batch_id,
            "position": refusal.index,
            "item": data_text(refusal.item),
            "errors": data_text([asdict(error) for error in refusal.errors]),
            "custom_id": refusal.custom_id,
            "duplicate_of": refusal.duplicate_of,
        }
        for refusal in refused
    ]


_SET_WEBHOOKS = update(tasks).where(tasks.c.token == field(0)).values(webhook=field(1))
