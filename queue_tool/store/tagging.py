"""Tagging: the tags of new tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, insert, select

from queue_tool.store.engine.rows import as_groups, group, grouped, grouped_text
from queue_tool.store.tables import tags, tasks


def add_tags(connection: Connection, tagged: Mapping[str, Sequence[str]]) -> None:
    """Add the tags of tasks, by token. The tasks were added before."""
    if tagged:
        connection.execute(_ADD_TAGS, as_groups(tagged))


_ADD_TAGS = insert(tags).from_select(
    ["tag", "task_id"],
    select(grouped_text, tasks.c.id)
    .select_from(grouped.join(tasks, tasks.c.token == group))
    .order_by(grouped_text, tasks.c.id),  # the order of the primary key, in which an index grows faster
)
