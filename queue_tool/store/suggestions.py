"""Suggestions: values of filters that begin with what somebody types. Each query reads a bounded number of rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, func, literal, select

from queue_tool.store.engine.database import Database, moment
from queue_tool.store.filtering import begins_with
from queue_tool.store.tables import batches, tags, tasks, workers

NEWEST_BATCHES = 1000
"""The newest batches, whose names and ids are compared with a text."""

NEWEST_WORKERS = 500
"""The workers that started last, whose names are compared with a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestedBatch:
    """A batch that a text may mean."""

    id: str
    name: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestedWorker:
    """A worker that a text may mean. It may have ended."""

    name: str
    kind: str
    host: str


class Suggestions:
    """Finds values of filters."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database

    def tags(self, beginning: str, most: int) -> list[str]:
        """Return the first tags that begin with a text, in the order of their code points.

        The index is read once for each tag that is found, however many tasks have it.
        """
        return self._different(tags.c.tag, beginning, most)

    def custom_ids(self, beginning: str, most: int) -> list[str]:
        """Return the first values of `custom_id` that begin with a text, as `tags` does."""
        return self._different(tasks.c.custom_id, beginning, most)

    def _different(self, column: ColumnElement[str], beginning: str, most: int) -> list[str]:
        with self._database.read() as connection:
            return list(connection.execute(_different(column, beginning, most)).scalars())

    def batches(self, text: str, most: int) -> list[SuggestedBatch]:
        """Return batches whose name contains a text, or whose id begins with it, the newest first.

        They are among the newest `NEWEST_BATCHES`. Older ones follow if their names begin with the text.
        """
        found: dict[str, SuggestedBatch] = {}
        with self._database.read() as connection:
            for row in _matching(connection.execute(_NEWEST), text):
                found.setdefault(row.public_id, _batch(row))
                if len(found) == most:
                    return list(found.values())
            if text:
                found = {row.public_id: _batch(row) for row in connection.execute(_named(text, most))} | found
        return sorted(found.values(), key=lambda each: each.created_at, reverse=True)[:most]

    def workers(self) -> list[SuggestedWorker]:
        """Return the workers that started last, the newest first."""
        with self._database.read() as connection:
            return [
                SuggestedWorker(name=row.name, kind=row.kind, host=row.host) for row in connection.execute(_STARTED)
            ]


def _different(column: ColumnElement[str], beginning: str, most: int) -> Select[Any]:
    """Return the query for the different values of a column: it jumps in the index from each value to the next."""
    mine = [column.is_not(None), *begins_with(column, beginning)]
    first = select(func.min(column).label("value"), literal(1, Integer).label("number")).where(*mine)
    tree = first.cte("found", recursive=True)
    following = select(func.min(column)).where(column > tree.c.value, *mine).scalar_subquery()
    tree = tree.union_all(select(following, tree.c.number + 1).where(tree.c.value.is_not(None), tree.c.number < most))
    return select(tree.c.value).where(tree.c.value.is_not(None)).order_by(tree.c.number)


def _matching(rows: Iterable[Any], text: str) -> Iterator[Any]:
    lower = text.casefold()
    return (row for row in rows if lower in (row.name or "").casefold() or row.public_id.startswith(lower))


_SUGGESTED = select(batches.c.public_id, batches.c.name, batches.c.created_at)

_NEWEST = _SUGGESTED.order_by(batches.c.id.desc()).limit(NEWEST_BATCHES)


def _named(text: str, most: int) -> Select[Any]:
    """Return the query for batches whose names begin with a text; the index of names has this order."""
    return (
        _SUGGESTED.where(batches.c.name.is_not(None), *begins_with(batches.c.name, text))
        .order_by(batches.c.name.desc(), batches.c.id.desc())
        .limit(most)
    )


_STARTED = select(workers.c.name, workers.c.kind, workers.c.host).order_by(workers.c.id.desc()).limit(NEWEST_WORKERS)


def _batch(row: Any) -> SuggestedBatch:
    return SuggestedBatch(id=row.public_id, name=row.name, created_at=moment(row.created_at))
