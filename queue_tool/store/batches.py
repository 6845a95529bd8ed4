"""Batches in the store: added whole or not at all, counted, listed."""

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
from queue_tool.store.engine.lookup import Lookup, whether
from queue_tool.store.idempotency import Remembered, lock_and_recall, remember
from queue_tool.store.tables import batches, in_state, labels, refusals, tasks
from queue_tool.store.waiting_count import WaitingCount


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What became of a batch that was to be added."""

    before: Remembered | None = None  # it was not added: its idempotency key was used for this already
    instead: NewBatch | None = None  # this was: without tasks whose unique key another one has
    held: bool = False  # its tasks wait in the store until there is room in Redis


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums over all batches that are stored."""

    batches: int
    accepted: int
    rejected: int
    open: int
    running: int


class Batches:
    """The table of batches, with the refusals that belong to them."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._database = database
        self._waiting = WaitingCount()
        self._any_unpushed = Lookup(database, whether(batches.c.pushed_at.is_(None)))

    def add(self, new: NewBatch, max_waiting: int = 0, *, hold: Sequence[str] = ()) -> Added:
        """Add a batch with its tasks and refusals in one transaction.

        Args:
            new: the batch.
            max_waiting: how many tasks may wait; 0 is no limit.
            hold: lists whose tickets wait in the store from now on: there is no room in Redis.

        Raises:
            TooManyWaiting: more than `max_waiting` tasks would wait.
            StoreAway: nothing was kept.
        """
        with self._database.write() as connection:
            if new.idempotency and (before := lock_and_recall(connection, new.idempotency, new.created_at)):
                return Added(before=before)
            instead = None
            if new.unique_keys:
                unique.lock_keys(connection)
                new = instead = new.without_duplicates(unique.taken(connection, new.unique_keys))
            self._waiting.require_room(connection, len(new.accepted), max_waiting)
            waits_here = held_lists.hold_or_held(connection, hold, new.lists, new.created_at)
            batch_id = add_batch(connection, new, held=waits_here) if new.elements else None
            if new.idempotency:
                remember(connection, new.idempotency, batch_id, new.created_at)
        return Added(instead=instead, held=waits_here)

    def get(self, public_id: str) -> Batch:
        """Return a batch with its counts.

        Raises:
            BatchNotFound: there is none with this id.
        """
        with self._database.read() as connection:
            row = connection.execute(select(batches).where(batches.c.public_id == public_id)).first()
            if row is None:
                raise BatchNotFound
            counted = {each.state: each.number for each in connection.execute(_COUNTS, {"batch_id": row.id})}
        return _batch(row, {state: counted.get(state.value, 0) for state in State})

    def page(self, label: Label, limit: int, before: int | None = None) -> tuple[list[Batch], int | None]:
        """Return batches, the last one sent first, without the counts of their states.

        Args:
            label: what they are called; of its metadata they have all.
            limit: how many.
            before: where the page begins: the row that the page before it has named.

        Returns:
            The page, and the row at which the next one begins; None where there is none.
        """
        found = select(batches).order_by(batches.c.id.desc()).limit(limit + 1)
        if label.name is not None:
            found = found.where(batches.c.name.is_not(None), batches.c.name == label.name)
        for key, value in label.metadata.items():
            mine = select(labels.c.batch_id).where(labels.c.key == key, labels.c.value == value)
            found = found.where(batches.c.id.in_(mine))
        if before is not None:
            found = found.where(batches.c.id < before)
        with self._database.read() as connection:
            rows = connection.execute(found).all()
        return [_batch(row) for row in rows[:limit]], rows[limit - 1].id if len(rows) > limit else None

    def ended(self, public_ids: Sequence[str]) -> set[str]:
        """Return those of these batches whose tasks have all ended, or that are not there (any more)."""
        unfinished = select(batches.c.public_id).where(batches.c.public_id.in_(public_ids), batches.c.open > 0)
        with self._database.read() as connection:
            return set(public_ids) - set(connection.execute(unfinished).scalars())

    def elements(self, public_id: str) -> list[Element]:
        """Return what was answered when a batch was sent, in the order sent."""
        with self._database.read() as connection:
            mine = select(batches.c.id).where(batches.c.public_id == public_id).scalar_subquery()
            good = connection.execute(
                select(tasks.c.position, tasks.c.token, tasks.c.data).where(tasks.c.batch_id == mine)
            ).all()
            bad = connection.execute(select(refusals).where(refusals.c.batch_id == mine)).all()
        elements: list[Element] = [
            Accepted(index=row.position, token=row.token, data=json_text.loads(row.data)) for row in good
        ]
        elements += [refused_of(row) for row in bad]
        return sorted(elements, key=lambda element: element.index)

    def totals(self) -> Totals:
        """Return the sums over all batches."""
        with self._database.read() as connection:
            count, accepted, rejected, still_open = connection.execute(
                select(
                    func.count(),
                    func.coalesce(func.sum(batches.c.accepted), 0),
                    func.coalesce(func.sum(batches.c.rejected), 0),
                    func.coalesce(func.sum(batches.c.open), 0),
                )
            ).one()
            running = connection.execute(
                select(func.count()).select_from(tasks).where(in_state(State.RUNNING))
            ).scalar_one()
        return Totals(batches=count, accepted=accepted, rejected=rejected, open=still_open, running=running)

    def unpushed(self, now: datetime, grace: timedelta) -> list[str]:
        """Return the ids of batches whose tickets are not known to be in Redis, the oldest first.

        One whose push has not failed is left out for a grace after its creation: somebody may be pushing it. One
        from the future is not: then the clock was set back.
        """
        if self._any_unpushed.first() is None:
            return []
        created = batches.c.created_at
        nobody_pushes = or_(batches.c.push_failed_at.is_not(None), created < micros(now - grace), created > micros(now))
        with self._database.read() as connection:
            return list(
                connection.execute(
                    select(batches.c.public_id)
                    .where(batches.c.pushed_at.is_(None), nobody_pushes)
                    .order_by(batches.c.id)
                ).scalars()
            )

    def mark_pushed(self, public_id: str, now: datetime) -> None:
        """Record that every ticket of a batch is in Redis; if that is lost they are pushed again, without harm."""
        with self._database.write(durable=False) as connection:
            connection.execute(_MARK_PUSHED, {"id_of_batch": public_id, "now": micros(now)})

    def mark_push_failed(self, public_id: str, now: datetime) -> None:
        """Record that tickets of a batch may be missing in Redis, and that nobody is pushing them any more."""
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
    assert isinstance(found, dict)  # noqa: S101 - we wrote it so
    return found


def refused_of(row: Row[Any]) -> Refused:
    """Return what a row of refusals means."""
    reasons = json_text.loads(row.errors)
    assert isinstance(reasons, list)  # noqa: S101 - we wrote it so
    return Refused(
        index=row.position,
        item=json_text.loads(row.item),
        errors=tuple(FieldError(**reason) for reason in reasons),
        duplicate_of=row.duplicate_of,
    )
