"""Continuations in the store: kept with their parents, and made into tasks by the transaction that ends a parent.

Only `ends.py` makes them into tasks. A continuation is kept with all columns of its task, so that each process can make
it, also one that does not know its task type.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Text, bindparam, delete, insert, select, update

from queue_tool.model import json_text, tokens
from queue_tool.model.continuation import ShownContinuation, When, parent_of_task
from queue_tool.model.new_task import Continuation, NewTask
from queue_tool.model.states import State
from queue_tool.model.ticket import Ticket
from queue_tool.store.engine.database import micros_or_none
from queue_tool.store.engine.rows import as_rows, is_among
from queue_tool.store.listening import begin_own
from queue_tool.store.tables import continuations, tasks
from queue_tool.store.tagging import add_tags
from queue_tool.store.tickets import list_of

ROWS = 500
"""The most tasks that one statement adds."""

MOST_SHOWN = 100
"""The most tasks of one parent that `declared` names: the latest ones."""

Stored = dict[str, Any]
"""A continuation as it is kept: `when`, the columns of its task, `delay`, `tags` and `on_finished`."""


def keep(connection: Connection, declared: Mapping[str, Sequence[Continuation]]) -> None:
    """Keep the continuations of new parents.

    Args:
        connection: the connection of a transaction that writes.
        declared: the continuations by parent, as `model.continuation` writes it.
    """
    _keep(connection, {parent: [_stored(each) for each in several] for parent, several in declared.items() if several})


def keep_of_tasks(connection: Connection, new: Sequence[NewTask]) -> None:
    """Keep the continuations of new tasks, which were added before, and mark these tasks."""
    declaring = {task.token: task.options.on_finished for task in new if task.options.on_finished}
    if declaring:
        keep(connection, {parent_of_task(token): several for token, several in declaring.items()})
        connection.execute(_MARK, as_rows(declaring))


def follow(connection: Connection, ended: Mapping[str, bool], now: int) -> tuple[Ticket, ...]:
    """Add the tasks that follow when parents end. Return the tickets of those that can start at once.

    They count as not pushed, so that a sweeper pushes what this process does not.

    Args:
        connection: the connection of the transaction that ends the parents.
        ended: by parent, whether a task of it failed or was canceled.
        now: the time of the end, as it is stored.
    """
    if not ended:
        return ()
    rows = connection.execute(_OF, as_rows(ended)).all()
    due = [row for row in rows if When(row.condition).includes(any_failed=ended[row.parent])]
    fresh = tokens.make(now // 1000, os.urandom(tokens.ENTROPY_BYTES * len(due)))
    made: list[Ticket] = []
    for start in range(0, len(due), ROWS):
        page = slice(start, start + ROWS)
        part = {token: (row, _read(row.task)) for token, row in zip(fresh[page], due[page], strict=True)}
        made += _add(connection, part, now)
    return tuple(made)


def forget(connection: Connection, parents: Iterable[str]) -> None:
    """Remove the continuations of parents that were removed."""
    wanted = list(parents)
    if wanted:
        connection.execute(_FORGET, as_rows(wanted))


def declared_by(connection: Connection, parents: Sequence[str]) -> dict[str, list[ShownContinuation]]:
    """Return the continuations of each parent, with the tasks that they have made."""
    made: dict[tuple[str, int], list[str]] = {}
    for parent in parents:
        for row in reversed(connection.execute(_MADE, {"of": parent}).all()):
            made.setdefault((parent, row.position), []).append(row.token)
    found: dict[str, list[ShownContinuation]] = {parent: [] for parent in parents}
    for row in connection.execute(_SHOWN, as_rows(parents)):
        its = made.get((row.parent, row.position), [])
        found[row.parent].append(ShownContinuation(when=When(row.condition), task_type=row.task_type, tokens=its))
    return found


def _keep(connection: Connection, stored: Mapping[str, Sequence[Stored]]) -> None:
    rows = [
        {
            "parent": parent,
            "position": position,
            "condition": each["when"],
            "task_type": each["task_type"],
            "task": json_text.dumps(each).decode(),
        }
        for parent, several in stored.items()
        for position, each in enumerate(several)
    ]
    if rows:
        connection.execute(insert(continuations), rows)


def _stored(declared: Continuation) -> Stored:
    """Return a continuation as it is kept. It is no deeper than the request, so that its text can be read again."""
    task, options = declared.task, declared.task.options
    followers = [_stored(each) for each in options.on_finished]
    columns = {
        "when": declared.when.value,
        "task_type": task.task_type.name,
        "priority": task.priority.value,
        "lane": task.task_type.lane.value,
        "data": task.data,
        "delay": declared.delay,
        "due_at": None if declared.delay is not None else micros_or_none(options.timing.due_at),
        "expires_at": micros_or_none(options.timing.expires_at),
        "max_attempts": options.max_attempts,
        "timeout": options.timeout,
        "name": options.name,
        "custom_id": options.custom_id,
        "description": options.description,
        "parameters": options.parameters,
        "webhook": options.webhook,
        "tags": list(options.tags) or None,
        "on_finished": followers[0] if len(followers) == 1 else followers or None,
    }
    return {name: value for name, value in columns.items() if value is not None or name == "data"}


def _read(text: str) -> Stored:
    found = json_text.loads(text)
    assert isinstance(found, dict)  # the store wrote it in this form
    return found


def _followers(stored: Stored) -> list[Stored]:
    found: Stored | list[Stored] = stored.get("on_finished", [])
    return found if isinstance(found, list) else [found]


_COPIED = (
    "task_type", "priority", "lane", "expires_at", "max_attempts", "timeout", "name", "custom_id", "description",
    "parameters", "webhook",
)  # fmt: skip
"""The columns of a task that a continuation is kept with as they are."""


def _add(connection: Connection, part: Mapping[str, tuple[Any, Stored]], now: int) -> list[Ticket]:
    """Add one task for each row of a continuation, by token. Return the tickets of those that can start at once."""
    rows = [_row(token, row, stored, now) for token, (row, stored) in part.items()]
    connection.execute(insert(tasks), rows)
    if any(row["webhook"] for row in rows):
        begin_own(connection)
    add_tags(connection, {token: stored["tags"] for token, (_, stored) in part.items() if "tags" in stored})
    chains = {parent_of_task(token): _followers(stored) for token, (_, stored) in part.items()}
    _keep(connection, chains)
    return [
        Ticket(token=row["token"], run=1, list=list_of(row["priority"], row["lane"]), task_type=row["task_type"])
        for row in rows
        if row["state"] == State.QUEUED
    ]


def _row(token: str, row: Any, stored: Stored, now: int) -> dict[str, Any]:
    due = now + round(stored["delay"] * 1_000_000) if "delay" in stored else stored.get("due_at")
    waits = due is not None and due > now
    return {
        **{name: stored.get(name) for name in _COPIED},
        "token": token,
        "position": row.position,
        "data": json_text.dumps(stored["data"]).decode(),
        "state": State.SCHEDULED.value if waits else State.QUEUED.value,
        "run": 1,
        "attempt": 1,
        "losses": 0,
        "created_at": now,
        "due_at": due,
        "continues": 1 if "on_finished" in stored else None,
        "parent": row.parent,
    }


_PARENTS = is_among(continuations.c.parent, bindparam("rows", type_=Text))

_OF = select(continuations).where(_PARENTS).order_by(continuations.c.parent, continuations.c.position)

_SHOWN = (
    select(continuations.c.parent, continuations.c.position, continuations.c.condition, continuations.c.task_type)
    .where(_PARENTS)
    .order_by(continuations.c.parent, continuations.c.position)
)

_MADE = (
    select(tasks.c.token, tasks.c.position)
    .where(tasks.c.parent.is_not(None), tasks.c.parent == bindparam("of"))
    .order_by(tasks.c.id.desc())
    .limit(MOST_SHOWN)
)

_FORGET = delete(continuations).where(_PARENTS)

_MARK = update(tasks).where(is_among(tasks.c.token, bindparam("rows", type_=Text))).values(continues=1)
