"""Suggestions: values of filters that begin with what somebody types. Each query reads a bounded number of rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, Select, func, literal, select

from queue_tool.store.engine.database import Database, moment
from queue_tool.store.filtering import begins_with
from queue_tool.store.tables import batches, tags, workers

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
        with self._database.read() as connection:
            return list(connection.execute(_tags(beginning, most)).scalars())

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


def _tags(beginning: str, most: int) -> Select[Any]:
    """Return the query for tags: it jumps in the index from each tag to the next."""
    mine = list(begins_with(tags.c.tag, beginning))
    found = select(func.min(tags.c.tag).label("tag"), literal(1, Integer).label("number")).where(*mine)
    tree = found.cte("found", recursive=True)
    following = select(func.min(tags.c.tag)).where(tags.c.tag > tree.c.tag, *mine).scalar_subquery()
    tree = tree.union_all(select(following, tree.c.number + 1).where(tree.c.tag.is_not(None), tree.c.number < most))
    return select(tree.c.tag).where(tree.c.tag.is_not(None)).order_by(tree.c.number)


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
