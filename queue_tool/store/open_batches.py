"""Open batches in the store: make one, read the elements that it has, and seal it. `elements.py` adds the elements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, bindparam, func, insert, select

from queue_tool.errors import BatchNotFound, BatchSealed
from queue_tool.model.batch import Element, IdempotencyKey, Label, NewBatch, SealedBy
from queue_tool.model.continuation import parent_of_batch
from queue_tool.model.new_task import Continuation
from queue_tool.model.ticket import Ticket
from queue_tool.store import continuing, ends, parts
from queue_tool.store.adding import add_labels, continuing_columns, label_columns
from queue_tool.store.batches import in_order
from queue_tool.store.closed import NOTHING
from queue_tool.store.engine.clock import database_now
from queue_tool.store.engine.database import Database, micros
from queue_tool.store.engine.lookup import Lookup
from queue_tool.store.idempotency import Remembered, lock_and_recall, remember
from queue_tool.store.parts import Part
from queue_tool.store.tables import batches, refusals, tasks
from queue_tool.store.tables import parts as table

MOST_IDLE = 100
"""The most batches that one call finds which got no elements for a long time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBatch:
    """A batch that takes more elements."""

    task_type: str | None  # its elements are the data of this type; None: they are task objects
    total: int  # how many elements it has


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """What sealing a batch changed."""

    was_open: bool
    is_finished: bool  # whether it had no open task left, so that sealing it has finished it
    made: tuple[Ticket, ...] = ()  # tickets of its continuations


class OpenBatches:
    """The batches that take more elements."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database
        self._idle = Lookup(database, IDLE)

    def add(
        self,
        public_id: str,
        label: Label,
        task_type: str | None,
        now: datetime,
        key: IdempotencyKey | None = None,
        *,
        on_finished: Sequence[Continuation] = (),
    ) -> Remembered | None:
        """Add an open batch without elements. Return the first use of the key, if nothing was added.

        Raises:
            StoreAway: the database is busy or away; nothing was stored.
            CommitUnknown: the database went away during the commit.
        """
        with self._database.write() as connection:
            if key and (before := lock_and_recall(connection, key, now)):
                return before
            columns = {"public_id": public_id, "rejected": 0, "created_at": micros(now), "pushed_at": micros(now)}
            columns |= {"task_type": task_type, **label_columns(label), **ends.of_open_batch(now)}
            columns |= continuing_columns(on_finished)
            batch_id: int = connection.execute(_ADD.values(columns)).scalar_one()
            add_labels(connection, label, batch_id)
            continuing.keep(connection, {parent_of_batch(public_id): on_finished})
            if key:
                new = NewBatch(id=public_id, elements=(), accepted=(), refused=(), created_at=now)
                remember(connection, key, now, batch_id=batch_id, batch=new)
        return None

    def get(self, public_id: str) -> OpenBatch:
        """Return an open batch.

        Raises:
            BatchNotFound: no batch has this id.
            BatchSealed: it takes no more elements.
        """
        with self._database.read() as connection:
            row = connection.execute(_GET, {"public": public_id}).first()
        if row is None:
            raise BatchNotFound
        if row.filled_at is None:
            raise BatchSealed
        return OpenBatch(task_type=row.task_type, total=row.accepted + row.rejected)

    def part(self, public_id: str, start: int) -> Part | None:
        """Return the part of a batch that begins with an index, or None."""
        with self._database.read() as connection:
            return parts.find(connection, public_id, start)

    def elements(self, public_id: str, start: int, most: int) -> list[Element]:
        """Return the elements of a batch from an index on, as the answers to their requests listed them.

        Args:
            public_id: the id of the batch.
            start: the index.
            most: the most elements to return. Those whose tasks were removed are left out.
        """
        values = {"public": public_id, "start": start, "most": most}
        with self._database.read() as connection:
            row = connection.execute(_PLACE, values).first()
            if row is None:
                return []
            values |= {"batch": row.id, "after": row.after}
            good = connection.execute(_ACCEPTED, values).all()
            bad = connection.execute(_REFUSED, values).all()
        return in_order(good, bad)[:most]

    def seal(self, public_id: str, by: SealedBy, now: datetime, patience: timedelta | None = None) -> Sealed:
        """Seal a batch: it takes no more elements. A batch that is sealed already is not changed.

        Args:
            public_id: the id of the batch.
            by: what seals it.
            now: the current time.
            patience: if set, the batch is sealed only if it got no elements for this time.

        Raises:
            BatchNotFound: no batch has this id.
            StoreAway: the database is busy or away; nothing was changed.
        """
        with self._database.write() as connection:
            parts.lock_elements(connection, public_id)
            row = connection.execute(_GET, {"public": public_id}).first()
            if row is None:
                raise BatchNotFound
            is_idle = (
                patience is None
                or connection.execute(
                    select(_FILLED_BEFORE).where(batches.c.id == row.id), _times(now, patience)
                ).scalar()
            )
            was_open, ended = ends.seal(connection, row.id, by.value, now) if is_idle else (False, NOTHING)
        return Sealed(was_open=was_open, is_finished=bool(ended.finished), made=ended.made)

    def idle(self, now: datetime, patience: timedelta) -> list[str]:
        """Return the ids of open batches that got no elements for this time."""
        return [row.public_id for row in self._idle.all(**_times(now, patience))]


def _times(now: datetime, patience: timedelta) -> dict[str, int]:
    return {"now": micros(now), "patience": patience // timedelta(microseconds=1)}


_ADD = insert(batches).returning(batches.c.id)

_GET = select(batches.c.id, batches.c.task_type, batches.c.accepted, batches.c.rejected, batches.c.filled_at).where(
    batches.c.public_id == bindparam("public")
)

_PLACE = select(
    batches.c.id,
    func.coalesce(
        select(table.c.after)
        .where(table.c.batch_id == batches.c.id, table.c.start <= bindparam("start"))
        .order_by(table.c.start.desc())
        .limit(1)
        .scalar_subquery(),
        0,
    ).label("after"),
).where(batches.c.public_id == bindparam("public"))
"""The task after which to look for an index. No more than one part comes before it."""

_ACCEPTED = (
    select(tasks.c.position, tasks.c.token, tasks.c.data, tasks.c.custom_id)
    .where(
        tasks.c.batch_id == bindparam("batch"),
        tasks.c.id > bindparam("after"),
        tasks.c.position >= bindparam("start"),
    )
    .order_by(tasks.c.batch_id, tasks.c.id)
    .limit(bindparam("most"))
)

_REFUSED = (
    select(refusals)
    .where(refusals.c.batch_id == bindparam("batch"), refusals.c.position >= bindparam("start"))
    .order_by(refusals.c.position)
    .limit(bindparam("most"))
)

_FILLED_BEFORE = batches.c.filled_at < database_now(bindparam("now", type_=BigInteger)) - bindparam(
    "patience", type_=BigInteger
)

IDLE = (
    select(batches.c.public_id)
    .where(batches.c.filled_at.is_not(None), _FILLED_BEFORE)
    .order_by(batches.c.filled_at)
    .limit(MOST_IDLE)
)
