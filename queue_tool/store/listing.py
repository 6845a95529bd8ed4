"""Lists of tasks, newest first. A page reads only as many rows as it shows, because every filter has an index.

A query has one part for each combination of state, prefix column and worker. Each part uses an index that returns its
rows already sorted, and reads at most one page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, func, select, union

from queue_tool.model.continuation import parent_of_task
from queue_tool.model.details import Details, Line, Summary
from queue_tool.model.filter import Filter
from queue_tool.model.queues import Priority
from queue_tool.model.states import State
from queue_tool.store.attempts import attempt_of
from queue_tool.store.continuing import declared_by
from queue_tool.store.driving import Indexed, driven
from queue_tool.store.engine.database import Database, moment, moment_or_none
from queue_tool.store.filtering import between, indexed, matching_workers, place_of_batch, prefixes, unindexed
from queue_tool.store.tables import attempts, batches, events, in_state, not_running, tags, tasks, workers
from queue_tool.store.tasks import status_fields

PageKey = int | str
"""The sort key of a page: the row's id, or its token if the filter has times, because tokens are ordered by time."""

MOST_LINES = 100
"""The most log lines in a task's details. Only the last lines are shown."""

MOST_PARTS = 100
"""The most workers that get a query part each. More workers share one part."""


class Listing:
    """Lists and details of tasks."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database

    def page(self, wanted: Filter, limit: int, before: PageKey | None = None) -> tuple[list[Summary], PageKey | None]:
        """Return a page of the tasks that match a filter, the newest first.

        Args:
            wanted: the filter.
            limit: the most tasks in the page.
            before: the key that the previous page returned; None for the first page.

        Returns:
            The page and the key for the next page. The key is None on the last page.
        """
        key = _key_of(wanted)
        with self._database.read() as connection:
            found = _combined(list(_parts(connection, wanted, limit + 1, before)), limit + 1)
            keys = [row[0] for row in connection.execute(found)]
            rows = connection.execute(SUMMARY.where(key.in_(keys[:limit])).order_by(key.desc())).all()
            tagged = tags_of(connection, [row.id for row in rows])
        shown = [Summary(**summary_fields(row, tagged)) for row in rows]
        return shown, keys[limit - 1] if len(keys) > limit else None

    def details(self, token: str) -> Details | None:
        """Return all details of a task, or None for an unknown token."""
        with self._database.read() as connection:
            row = connection.execute(SUMMARY.where(tasks.c.token == token)).first()
            if row is None:
                return None
            tagged = tags_of(connection, [row.id])
            ended = connection.execute(select(attempts).where(attempts.c.token == token).order_by(attempts.c.id)).all()
            lines = connection.execute(_LINES, {"token": token}).all()
            parent = parent_of_task(token)
            declared = declared_by(connection, [parent])[parent] if row.continues else ()
        return Details(
            **summary_fields(row, tagged),
            index=row.position,
            description=row.description,
            parameters=row.parameters,
            unique_key=row.unique_key,
            timeout=row.timeout,
            max_attempts=row.max_attempts,
            losses=row.losses,
            attempts=tuple(map(attempt_of, ended)),
            lines=tuple(Line(run=line.run, at=moment(line.at), text=line.text) for line in reversed(lines)),
            on_finished=declared,
            parent=row.parent,
            webhook=row.webhook,
        )

    def count(self, wanted: Filter, most: int) -> int:
        """Return how many tasks match a filter, counting at most `most` tasks."""
        with self._database.read() as connection:
            found = _combined(list(_parts(connection, wanted, most, None)), most).subquery()
            number: int = connection.execute(select(func.count()).select_from(found)).scalar_one()
        return number


SUMMARY: Select[Any] = (
    select(
        tasks,
        batches.c.public_id.label("batch"),
        workers.c.name.label("worker"),
        workers.c.host.label("host"),
    )
    .outerjoin_from(tasks, batches, batches.c.id == tasks.c.batch_id)
    .outerjoin(workers, workers.c.id == tasks.c.owner)
)
"""The query for the columns of a summary, without its tags."""


_LINES = select(events).where(events.c.token == bindparam("token")).order_by(events.c.id.desc()).limit(MOST_LINES)


def summary_fields(row: Any, tagged: dict[int, list[str]]) -> dict[str, Any]:
    """Return the fields of a summary from a row of `SUMMARY`."""
    return status_fields(row) | {
        "name": row.name,
        "custom_id": row.custom_id,
        "tags": tuple(tagged.get(row.id, ())),
        "priority": Priority(row.priority),
        "due_at": moment_or_none(row.due_at),
        "expires_at": moment_or_none(row.expires_at),
        "worker": row.worker or None,
        "host": row.host,
    }


def tags_of(connection: Connection, ids: Sequence[int]) -> dict[int, list[str]]:
    """Return the tags of these tasks by task id. Tasks without tags are left out."""
    found: dict[int, list[str]] = {}
    for row in connection.execute(select(tags).where(tags.c.task_id.in_(ids)).order_by(tags.c.tag)):
        found.setdefault(row.task_id, []).append(row.tag)
    return found


def _key_of(wanted: Filter) -> ColumnElement[Any]:
    return tasks.c.token if wanted.limits_creation_time else tasks.c.id


def _combined(parts: Sequence[Select[Any]], limit: int) -> Select[Any]:
    """Return the query for the keys of a page, the newest first."""
    if len(parts) == 1:
        return parts[0]
    found = union(*(select(part.subquery()) for part in parts)).subquery()
    return select(found).order_by(found.c[0].desc()).limit(limit)


def _parts(connection: Connection, wanted: Filter, limit: int, before: PageKey | None) -> Iterator[Select[Any]]:
    """Return the parts of the query for a page."""
    key = _key_of(wanted)
    plain = [*unindexed(wanted), *([tasks.c.id < before] if isinstance(before, int) else [])]
    times = list(between(wanted, before if isinstance(before, str) else None))
    shared = [Indexed(condition=and_(*times), order=tasks.c.token)] if times else []
    shared += [Indexed(condition=tags.c.tag == wanted.tag, is_tag=True)] if wanted.tag is not None else []
    batch, bounds = place_of_batch(connection, wanted) or (None, [])
    for state in sorted(wanted.states) or (None,):
        for chosen in product(*_workers_of(connection, wanted), *prefixes(wanted)):
            found = [*indexed(wanted, state, batch), *shared, *chosen]
            yield driven(connection, select(key).where(*plain), found, key, bounds).limit(limit)


def _workers_of(connection: Connection, wanted: Filter) -> Iterator[list[Indexed]]:
    """Return the alternative conditions for the workers of a filter, if it has any.

    Each worker has two conditions: one for its running tasks and one for its other tasks. Each uses its own index.
    """
    if wanted.worker is None and wanted.host is None:
        return
    owners = list(connection.execute(matching_workers(wanted)).scalars())
    each = [tasks.c.owner == owner for owner in owners] if len(owners) <= MOST_PARTS else [tasks.c.owner.in_(owners)]
    yield [
        found
        for mine in each or [tasks.c.owner.in_([])]
        for found in (
            Indexed(condition=mine & in_state(State.RUNNING), order=None),
            Indexed(condition=mine & not_running()),
        )
    ]
