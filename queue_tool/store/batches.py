"""Batches in the store: add a batch in one transaction, read it with its counts, list batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, func, or_, select, update

from queue_tool.errors import BatchNotFound
from queue_tool.model import json_text
from queue_tool.model.batch import Accepted, Batch, Element, Label, NewBatch, Refused
from queue_tool.model.schema import FieldError
from queue_tool.model.states import State
from queue_tool.store import held_lists, unique
from queue_tool.store.adding import add_batch
from queue_tool.store.engine.database import Database, micros, moment, moment_or_none
from queue_tool.store.engine.lookup import Lookup, exists_query
from queue_tool.store.idempotency import Remembered, lock_and_recall, remember
from queue_tool.store.labels import counted, labeled
from queue_tool.store.tables import batches, refusals, tasks
from queue_tool.store.waiting_count import WaitingCount


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What `Batches.add` did with a batch."""

    before: Remembered | None = None  # set if nothing was added: the first use of the idempotency key
    instead: NewBatch | None = None  # the batch as it was added, if unique keys were checked: without duplicates
    refused_whole: bool = False  # whether nothing was added, because no element was accepted
    held: bool = False  # whether its tickets wait in the database until Redis has room


class Batches:
    """The table of batches, with their refusals."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database
        self._waiting = WaitingCount()
        self._any_unpushed = Lookup(database, exists_query(batches.c.pushed_at.is_(None)))

    def add(
        self, new: NewBatch, max_waiting: int = 0, *, hold: Sequence[str] = (), some_accepted: bool = False
    ) -> Added:
        """Add a batch with its tasks and refusals in one transaction.

        Args:
            new: the batch.
            max_waiting: the most tasks that may be queued; 0 means no limit.
            hold: lists that are full in Redis, so that their tickets wait in the database from now on.
            some_accepted: whether a batch of which no element was accepted is not added.

        Raises:
            TooManyWaiting: more than `max_waiting` tasks would be queued.
            StoreAway: the database is busy or away; nothing was stored.
        """
        with self._database.write() as connection:
            if new.idempotency and (before := lock_and_recall(connection, new.idempotency, new.created_at)):
                return Added(before=before)
            instead = None
            if new.unique_keys:
                unique.lock_keys(connection)
                new = instead = new.without_duplicates(unique.taken(connection, new.unique_keys))
            if some_accepted and not new.accepted:
                return Added(instead=new, refused_whole=True)
            self._waiting.require_room(connection, len(new.accepted), max_waiting)
            held = held_lists.hold_and_check(connection, hold, new.lists, new.created_at)
            batch_id = add_batch(connection, new, held=held) if new.elements else None
            if new.idempotency:
                remember(
                    connection, new.idempotency, new.created_at, batch_id=batch_id, batch=new if batch_id else None
                )
        return Added(instead=instead, held=held)

    def get(self, public_id: str) -> Batch:
        """Return a batch with its counts.

        Raises:
            BatchNotFound: no batch has this id.
        """
        with self._database.read() as connection:
            row = connection.execute(select(batches).where(batches.c.public_id == public_id)).first()
            if row is None:
                raise BatchNotFound
            counted = {each.state: each.number for each in connection.execute(_COUNTS, {"batch_id": row.id})}
        return _batch(row, {state: counted.get(state.value, 0) for state in State})

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
        elements: list[Element] = [
            Accepted(index=row.position, token=row.token, data=json_text.loads(row.data), custom_id=row.custom_id)
            for row in good
        ]
        elements += [refused_of(row) for row in bad]
        return sorted(elements, key=lambda element: element.index)

    def unpushed(self, now: datetime, grace: timedelta) -> list[str]:
        """Return the ids of batches whose tickets must be pushed, the oldest first.

        Args:
            now: the current time.
            grace: how long after its creation a batch is left out, because its first push may be in progress. A batch
                whose push failed is returned at once. A batch from the future is also returned, because then the clock
                was set back.
        """
        if self._any_unpushed.first() is None:
            return []
        created = batches.c.created_at
        not_being_pushed = or_(
            batches.c.push_failed_at.is_not(None), created < micros(now - grace), created > micros(now)
        )
        with self._database.read() as connection:
            return list(
                connection.execute(
                    select(batches.c.public_id)
                    .where(batches.c.pushed_at.is_(None), not_being_pushed)
                    .order_by(batches.c.id)
                ).scalars()
            )

    def mark_pushed(self, public_id: str, now: datetime) -> None:
        """Record that all tickets of a batch are in Redis. If the record is lost, they are pushed again, harmlessly."""
        with self._database.write(durable=False) as connection:
            connection.execute(_MARK_PUSHED, {"id_of_batch": public_id, "now": micros(now)})

    def mark_push_failed(self, public_id: str, now: datetime) -> None:
        """Record that tickets of a batch may be missing in Redis, and that no process is pushing them."""
        with self._database.write(durable=False) as connection:
            connection.execute(_MARK_PUSH_FAILED, {"id_of_batch": public_id, "now": micros(now)})


_MARK_PUSHED = update(batches).where(batches.c.public_id == bindparam("id_of_batch")).values(pushed_at=bindparam("now"))

_MARK_PUSH_FAILED = (
    update(batches).where(batches.c.public_id == bindparam("id_of_batch")).values(push_failed_at=bindparam("now"))
)

_COUNTS = (
    select(tasks.c.state, func.count().label("number"))
    .where(tasks.c.batch_id == bindparam("batch_id"))
    .group_by(tasks.c.state)
)


_NOT_COUNTED: Mapping[State, int] = {}


def _batch(row: Row[Any], counts: Mapping[State, int] = _NOT_COUNTED) -> Batch:
    return Batch(
        id=row.public_id,
        accepted=row.accepted,
        rejected=row.rejected,
        open=row.open,
        counts=counts,
        created_at=moment(row.created_at),
        finished_at=moment_or_none(row.finished_at),
        label=Label(name=row.name, metadata=_texts(row.metadata) if row.metadata else {}),
    )


def _texts(text: str) -> dict[str, str]:
    found = json_text.loads(text)
    assert isinstance(found, dict)  # noqa: S101 - the store wrote it in this form
    return found


def refused_of(row: Row[Any]) -> Refused:
    """Return the refused element that a row describes."""
    reasons = json_text.loads(row.errors)
    assert isinstance(reasons, list)  # noqa: S101 - the store wrote it in this form
    return Refused(
        index=row.position,
        item=json_text.loads(row.item),
        errors=tuple(FieldError(**reason) for reason in reasons),
        custom_id=row.custom_id,
        duplicate_of=row.duplicate_of,
    )
