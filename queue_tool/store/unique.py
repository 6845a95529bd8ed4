"""Unique keys: at most one unfinished task per type may use a given key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from sqlalchemy import Connection, Integer, Select, bindparam, literal_column, select

from queue_tool.model.states import State
from queue_tool.store.engine.locks import lock_name
from queue_tool.store.engine.rows import as_rows, entry, field
from queue_tool.store.tables import UNIQUE_WHERE, in_state, tasks

FEW = 100
"""So many keys are looked up at once. For more of them, one look shows whether any task can have one of them."""


def lock_keys(connection: Connection) -> None:
    """Lock all unique keys until the transaction ends."""
    lock_name(connection, "queue_tool unique keys")


def taken(connection: Connection, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the token of the task that uses each key. Keys that no task uses are left out.

    A key is a pair (task type, unique key).
    """
    wanted = dict.fromkeys(keys)
    if len(wanted) > FEW:
        wanted = dict.fromkeys(_near_others(connection, wanted))
    if not wanted:
        return {}
    rows = connection.execute(_TAKEN, as_rows(wanted))
    return {(row.task_type, row.unique_key): row.token for row in rows}


def _near_others(connection: Connection, keys: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Return the keys without those of a type of which no task uses any key from their first to their last."""
    for task_type, its in groupby(sorted(keys), key=itemgetter(0)):
        near = list(its)
        values = {"task_type": task_type, "first": near[0][1], "last": near[-1][1]}
        if connection.execute(ANY_BETWEEN, values).first():
            yield from near


def taken_from(connection: Connection, tokens: Sequence[str]) -> set[str]:
    """Return the tokens of the given tasks that cannot be reopened because another task uses their unique key.

    If several of the given tasks have the same free key, only the oldest one can be reopened.
    """
    rows = connection.execute(_WANTED, {"tokens": list(tokens)}).all()
    owners = taken(connection, [(row.task_type, row.unique_key) for row in rows])
    lost: set[str] = set()
    for row in rows:
        if owners.setdefault((row.task_type, row.unique_key), row.token) != row.token:
            lost.add(row.token)
    return lost


ANY_BETWEEN: Select[int] = (
    select(literal_column("1", Integer))
    .where(
        tasks.c.task_type == bindparam("task_type"),
        tasks.c.unique_key >= bindparam("first"),
        tasks.c.unique_key <= bindparam("last"),
        UNIQUE_WHERE,
    )
    .limit(literal_column("1"))
)

_WANTED = (
    select(tasks.c.task_type, tasks.c.unique_key, tasks.c.token)
    .where(
        tasks.c.token.in_(bindparam("tokens", expanding=True)),
        tasks.c.unique_key.is_not(None),
        in_state(State.FAILED, State.CANCELED, keyed=True),
    )
    .order_by(tasks.c.id)
)

_TAKEN = select(tasks.c.task_type, tasks.c.unique_key, tasks.c.token).select_from(
    entry.join(tasks, (tasks.c.task_type == field(0)) & (tasks.c.unique_key == field(1)) & UNIQUE_WHERE)
)
