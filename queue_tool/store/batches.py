"""Batches in the store: added whole or not at all, counted, remembered by their idempotency key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Integer, Text, bindparam, delete, func, insert, literal_column, or_, select, update

from queue_tool import json_text
from queue_tool.batch import Accepted, Batch, Element, IdempotencyKey, NewBatch, Refused
from queue_tool.errors import BatchNotFound, TooManyWaiting
from queue_tool.schema import FieldError
from queue_tool.store.database import Database, micros, moment, moment_or_none
from queue_tool.store.rows import field
from queue_tool.store.tables import batches, idempotency_keys, in_state, refusals, tasks
from queue_tool.tasks import Fence, State

IDEMPOTENCY_LIFETIME = timedelta(hours=24)

ROWS = 5000
"""Tasks that one statement adds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What an idempotency key was used for before."""

    digest: str  # of the body that came with it
    batch: str | None  # None where the array was empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """How much was ever sent, and how much of it is still to do."""

    batches: int
    accepted: int
    rejected: int
    open: int
    running: int


class Batches:
    """The table of batches, with the refusals and the idempotency keys that belong to them."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._database = database

    def add(self, new: NewBatch, max_waiting: int = 0) -> Remembered | None:
        """Keep a batch with its tasks and refusals in one transaction.

        Returns:
            None if it was added; what was done before, if its idempotency key was used already.

        Raises:
            TooManyWaiting: more than `max_waiting` tasks would wait; 0 is no limit.
            StoreAway: nothing was kept.
        """
        with self._database.write() as connection:
            if new.idempotency and (before := _recall(connection, new.idempotency, new.created_at)):
                return before
            if max_waiting and _waiting(connection) + len(new.accepted) > max_waiting:
                raise TooManyWaiting(retry_after=30)
            batch_id = _insert(connection, new) if new.elements else None
            if new.idempotency:
                _remember(connection, new.idempotency, batch_id, new.created_at)
        return None

    def recall(self, key: IdempotencyKey, now: datetime) -> Remembered | None:
        """Return what an idempotency key was used for in the last 24 hours."""
        with self._database.read() as connection:
            return _recall(connection, key, now)

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
        return Batch(
            id=public_id,
            accepted=row.accepted,
            rejected=row.rejected,
            counts={state: counted.get(state.value, 0) for state in State},
            created_at=moment(row.created_at),
            finished_at=moment_or_none(row.finished_at),
        )

    def ended(self, public_ids: Sequence[str]) -> set[str]:
        """Return those of these batches whose tasks have all ended, or that are not there (any more)."""
        still_open = select(batches.c.public_id).where(batches.c.public_id.in_(public_ids), batches.c.open > 0)
        with self._database.read() as connection:
            return set(public_ids) - set(connection.execute(still_open).scalars())

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
        elements += [_refused(row.position, row.item, row.errors) for row in bad]
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
        """Keep that every ticket of a batch is in Redis; if it is forgotten they are pushed again."""
        with self._database.note() as connection:
            connection.execute(_MARK_PUSHED, {"id_of_batch": public_id, "now": micros(now)})

    def mark_push_failed(self, public_id: str, now: datetime) -> None:
        """Keep that tickets of a batch may be missing in Redis, and that nobody is pushing them any more."""
        with self._database.note() as connection:
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


_FRESH = Fence()

_ADD_TASKS = insert(tasks).from_select(
    [
        "token",
        "position",
        "data",
        "batch_id",
        "task_type",
        "priority",
        "lane",
        "created_at",
        "pushed_at",  # as far as the task knows; the batch's own `pushed_at` says whether it is true
        "state",
        "run",
        "attempt",
        "losses",
    ],
    select(
        *(field(number) for number in range(3)),
        bindparam("batch_id", type_=Integer),
        bindparam("task_type", type_=Text),
        bindparam("priority", type_=Text),
        bindparam("lane", type_=Text),
        bindparam("now", type_=Integer),
        bindparam("now", type_=Integer),
        *(
            literal_column(text)
            for text in (f"'{_FRESH.state}'", str(_FRESH.run), str(_FRESH.attempt), str(_FRESH.losses))
        ),
    ),
)


def _recall(connection: Connection, key: IdempotencyKey, now: datetime) -> Remembered | None:
    row = connection.execute(
        select(idempotency_keys.c.digest, batches.c.public_id)
        .outerjoin(batches, batches.c.id == idempotency_keys.c.batch_id)
        .where(
            idempotency_keys.c.scope == key.scope,
            idempotency_keys.c.key == key.key,
            idempotency_keys.c.created_at > micros(now - IDEMPOTENCY_LIFETIME),
        )
    ).first()
    return None if row is None else Remembered(digest=row.digest, batch=row.public_id)


def _remember(connection: Connection, key: IdempotencyKey, batch_id: int | None, now: datetime) -> None:
    connection.execute(
        delete(idempotency_keys).where(
            idempotency_keys.c.scope == key.scope,
            idempotency_keys.c.key == key.key,
            idempotency_keys.c.created_at <= micros(now - IDEMPOTENCY_LIFETIME),
        )
    )
    connection.execute(
        insert(idempotency_keys).values(
            scope=key.scope, key=key.key, digest=key.digest, batch_id=batch_id, created_at=micros(now)
        )
    )


def _waiting(connection: Connection) -> int:
    waiting = select(func.count()).select_from(tasks).where(in_state(State.QUEUED))
    return connection.execute(waiting).scalar_one()


def _insert(connection: Connection, new: NewBatch) -> int:
    now = micros(new.created_at)
    batch_id: int = connection.execute(
        insert(batches)
        .values(
            public_id=new.id,
            accepted=len(new.accepted),
            rejected=len(new.refused),
            open=len(new.accepted),
            created_at=now,
            pushed_at=None if new.accepted else now,
            finished_at=None if new.accepted else now,
        )
        .returning(batches.c.id)
    ).scalar_one()
    for start in range(0, len(new.accepted), ROWS):
        connection.execute(_ADD_TASKS, _same(new, batch_id) | {"rows": _rows(new.accepted[start : start + ROWS])})
    if new.refused:
        connection.execute(insert(refusals), _refusal_rows(new.refused, batch_id))
    return batch_id


def _same(new: NewBatch, batch_id: int) -> dict[str, object]:
    """Return what all tasks of a batch have in common."""
    return {
        "batch_id": batch_id,
        "task_type": new.task_type.name,
        "priority": new.task_type.priority.value,
        "lane": new.task_type.lane.value,
        "now": micros(new.created_at),
    }


def _rows(accepted: Sequence[Accepted]) -> str:
    """Return what each task has for itself, as `_ADD_TASKS` reads it."""
    dumps = json_text.dumps
    return dumps([(one.token, one.index, dumps(one.data).decode()) for one in accepted]).decode()


def _refusal_rows(refused: Sequence[Refused], batch_id: int) -> list[dict[str, object]]:
    return [
        {
            "batch_id": batch_id,
            "position": one.index,
            "item": json_text.dumps(one.item).decode(),
            "errors": json_text.dumps([asdict(error) for error in one.errors]).decode(),
        }
        for one in refused
    ]


def _refused(position: int, item: str, errors: str) -> Refused:
    reasons = json_text.loads(errors)
    assert isinstance(reasons, list)  # noqa: S101 - we wrote it so
    return Refused(index=position, item=json_text.loads(item), errors=tuple(FieldError(**reason) for reason in reasons))
