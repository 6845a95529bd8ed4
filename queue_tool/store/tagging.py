"""Tagging: the tags of new tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import BigInteger, Connection, bindparam, cast, insert, select

from queue_tool.model.new_task import NewTask
from queue_tool.store.engine.rows import as_groups, group, grouped, grouped_text
from queue_tool.store.tables import tags, tasks

MANY = 100
"""So many tasks with tags are worth a statement that reads the ids of their rows."""


def add_tags(connection: Connection, tagged: Mapping[str, Sequence[str]]) -> None:
    """Add the tags of tasks, by token. The tasks were added before."""
    if tagged:
        connection.execute(_ADD_TAGS, as_groups(tagged))


def add_tags_of_batch(connection: Connection, batch_id: int, new: Sequence[NewTask]) -> None:
    """Add the tags of tasks that this transaction has just added to a batch, in this order.

    Their ids are read once, in their order, because to look up each token takes longer.
    """
    rows = connection.execute(_IDS, {"batch": batch_id, "token": new[0].token}).scalars().all()
    tagged: dict[str, list[int]] = {}
    for row, task in zip(rows, new, strict=True):
        for tag in task.options.tags:
            tagged.setdefault(tag, []).append(row)
    connection.execute(_ADD_ROWS, as_groups({tag: tagged[tag] for tag in sorted(tagged)}))


_ADD_TAGS = insert(tags).from_select(
    ["tag", "task_id"],
    select(grouped_text, tasks.c.id)
    .select_from(grouped.join(tasks, tasks.c.token == group))
    .order_by(grouped_text, tasks.c.id),  # the order of the primary key, in which an index grows faster
)

_first = select(tasks.c.id).where(tasks.c.token == bindparam("token")).scalar_subquery()

_IDS = select(tasks.c.id).where(tasks.c.batch_id == bindparam("batch"), tasks.c.id >= _first).order_by(tasks.c.id)

_ADD_ROWS = insert(tags).from_select(
    ["tag", "task_id"], select(group, cast(grouped_text, BigInteger)).select_from(grouped)
)
