"""Batches in the store: read a batch with its counts, and list batches.

`additions.py` adds batches, and `ends.py` keeps their counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Text, bindparam, func, select, update

from queue_tool.errors import BatchNotFound
from queue_tool.model import json_text
from queue_tool.model.batch import Batch, Element, Label, Refused, SealedBy
from queue_tool.model.continuation import parent_of_batch
from queue_tool.model.new_task import Accepted
from queue_tool.model.schema import FieldError
from queue_tool.model.states import State
from queue_tool.store.continuing import declared_by
from queue_tool.store.engine.database import Database, micros, moment, moment_or_none
from queue_tool.store.engine.lookup import Lookup, exists_query
from queue_tool.store.engine.rows import as_rows, is_among
from queue_tool.store.labels import counted, labeled
from queue_tool.store.tables import batches, in_state, refusals, tasks


def _unknown(_sender: int) -> None:
    """Say of no process whether it lives."""


class Batches:
    """The table of batches, with their refusals."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database
        self._with_running = Lookup(database, WITH_RUNNING)
        self._any_unpushed = Lookup(database, exists_query(batches.c.pushed_at.is_(None)))

    def get(self, public_id: str) -> Batch:
        """Return a batch with its counts.

        Raises:
            BatchNotFound: no batch has this id.
        """
        (found,) = self.get_all([public_id])
        if found is None:
            raise BatchNotFound
        return found

    def get_all(self, public_ids: Sequence[str]) -> list[Batch | None]:
        """Return the batch of each id with its counts, or None for an unknown id, all at one moment."""
        rows = self._with_running.all(**as_rows(dict.fromkeys(public_ids)))
        found = {row.public_id: _batch(row, _counts(row)) for row in rows}
        continuing = [row.public_id for row in rows if row.continues is not None]
        if continuing:
            found |= self._with_continuations([found[public_id] for public_id in continuing])
        return [found.get(public_id) for public_id in public_ids]

    def _with_continuations(self, found: Sequence[Batch]) -> dict[str, Batch]:
        with self._database.read() as connection:
            declared = declared_by(connection, [parent_of_batch(batch.id) for batch in found])
        return {batch.id: replace(batch, on_finished=declared[parent_of_batch(batch.id)]) for batch in found}

    def page(self, label: Label, limit: int, before: int | None = None) -> tuple[list[Batch], int | None]:
        """Return a page of batches, the newest first, without the counts of their states.

        Args:
            label: the name and the metadata that a batch must have. Both are optional, and all metadata must match.
            limit: the most batches in the page.
            before: the row that the previous page returned; None for the first page.

        Returns:
            The page and the row for the next page. The row is None on the last page.
        """
        with self._database.read() as connection:
            key, found = labeled(connection, label)
            if before is not None:
                found = found.where(key < before)
            keys = connection.execute(found.limit(limit + 1)).scalars().all()
            newest_first = select(batches).where(batches.c.id.in_(keys[:limit])).order_by(batches.c.id.desc())
            rows = connection.execute(newest_first).all()
        return [_batch(row) for row in rows], keys[limit - 1] if len(keys) > limit else None

    def count(self, label: Label, most: int) -> int:
        """Return how many batches have a label, counting at most `most` batches."""
        with self._database.read() as connection:
            return counted(connection, labeled(connection, label)[1], most)

    def ended(self, public_ids: Sequence[str]) -> set[str]:
        """Return the ids of the given batches that have no unfinished task, or that do not exist (any more)."""
        unfinished = select(batches.c.public_id).where(batches.c.public_id.in_(public_ids), batches.c.open > 0)
        with self._database.read() as connection:
            return set(public_ids) - set(connection.execute(unfinished).scalars())

    def elements(self, public_id: str) -> list[Element]:
        """Return the elements of a batch as the answer to its request listed them, in the same order."""
        with self._database.read() as connection:
            mine = select(batches.c.id).where(batches.c.public_id == public_id).scalar_subquery()
            good = connection.execute(
                select(tasks.c.position, tasks.c.token, tasks.c.data, tasks.c.custom_id).where(tasks.c.batch_id == mine)
            ).all()
            bad = connection.execute(select(refusals).where(refusals.c.batch_id == mine)).all()
        return in_order(good, bad)

    def unpushed(self, now: datetime, grace: timedelta, lives: Callable[[int], bool | None] = _unknown) -> list[str]:
        """Return the ids of batches whose tickets must be pushed, the oldest first.

        Args:
            now: the current time.
            grace: how long after its creation a batch is left out, because its first push may be in progress. A batch
                whose push failed or whose sender has ended is returned at once. A batch from the future is also
                returned, because then the clock was set back.
            lives: returns whether the process with a number is alive; None if that is not known.
        """
        if self._any_unpushed.first() is None:
            return []
        with self._database.read() as connection:
            rows = connection.execute(_UNPUSHED).all()
        senders = {-row.push_failed_at for row in rows if (row.push_failed_at or 0) < 0}
        gone = {sender for sender in senders if lives(sender) is False}
        in_grace = range(micros(now - grace), micros(now) + 1)
        return [
            row.public_id
            for row in rows
            if row.created_at not in in_grace or (row.push_failed_at or 0) > 0 or -(row.push_failed_at or 0) in gone
        ]

    def mark_push_failed(self, public_id: str, now: datetime) -> None:
        """Record that tickets of a batch may be missing in Redis, and that no process is pushing them."""
        with self._database.write(durable=False) as connection:
            connection.execute(_MARK_PUSH_FAILED, {"id_of_batch": public_id, "now": micros(now)})


_UNPUSHED = (
    select(batches.c.public_id, batches.c.created_at, batches.c.push_failed_at)
    .where(batches.c.pushed_at.is_(None))
    .order_by(batches.c.id)
)

_MARK_PUSH_FAILED = (
    update(batches).where(batches.c.public_id == bindparam("id_of_batch")).values(push_failed_at=bindparam("now"))
)

_RUNNING = (
    select(func.count())
    # with `+ 0`, no database reads all tasks of the batch to find the few that are running
    .where(in_state(State.RUNNING), tasks.c.batch_id + 0 == batches.c.id)
    .correlate(batches)
    .scalar_subquery()
)

WITH_RUNNING = select(batches, _RUNNING.label("running")).where(
    is_among(batches.c.public_id, bindparam("rows", type_=Text))
)


def _counts(row: Any) -> dict[State, int]:
    """Return the counts by state of a row of `WITH_RUNNING`."""
    return {
        State.SCHEDULED: row.scheduled,
        State.QUEUED: _unfinished(row) - row.running - row.scheduled,
        State.RUNNING: row.running,
        State.FINISHED: row.accepted - _unfinished(row) - row.failed - row.canceled,
        State.FAILED: row.failed,
        State.CANCELED: row.canceled,
    }


def _unfinished(row: Any) -> int:
    """Return how many tasks of a batch have not ended. An open batch counts one more in `open`, and so does a held one.

    A bulk retry holds a batch: see `holding`.
    """
    return int(row.open) - (row.filled_at is not None) - (row.reopening_until is not None)


_NOT_COUNTED: Mapping[State, int] = {}


def _batch(row: Any, counts: Mapping[State, int] = _NOT_COUNTED) -> Batch:
    return Batch(
        id=row.public_id,
        accepted=row.accepted,
        rejected=row.rejected,
        open=_unfinished(row),
        counts=counts,
        created_at=moment(row.created_at),
        finished_at=moment_or_none(row.finished_at),
        label=Label(name=row.name, metadata=_texts(row.metadata) if row.metadata else {}),
        is_open=row.filled_at is not None,
        sealed_by=SealedBy(row.sealed_by) if row.sealed_by else None,
    )


def _texts(text: str) -> dict[str, str]:
    found = json_text.loads(text)
    assert isinstance(found, dict)  # the store wrote it in this form
    return found


def in_order(accepted: Iterable[Row[*tuple[Any, ...]]], refused: Iterable[Row[*tuple[Any, ...]]]) -> list[Element]:
    """Return the elements that rows of tasks and of refusals describe, in the order of the batch."""
    elements: list[Element] = [
        Accepted(index=row.position, token=row.token, data=json_text.loads(row.data), custom_id=row.custom_id)
        for row in accepted
    ]
    elements += [refused_of(row) for row in refused]
    return sorted(elements, key=lambda element: element.index)


def refused_of(row: Row[*tuple[Any, ...]]) -> Refused:
    """Return the refused element that a row describes."""
    reasons = json_text.loads(row.errors)
    assert isinstance(reasons, list)  # the store wrote it in this form
    return Refused(
        index=row.position,
        item=json_text.loads(row.item),
        errors=tuple(FieldError(**reason) for reason in reasons),
        custom_id=row.custom_id,
        duplicate_of=row.duplicate_of,
    )
