"""Closed: what a transaction has ended, and what follows from that. `ends.py` ends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Connection, select

from queue_tool.model.batch import NewBatch, SealedBy
from queue_tool.model.continuation import parent_of_batch
from queue_tool.model.ticket import Ticket
from queue_tool.store import continuing
from queue_tool.store.engine.database import micros
from queue_tool.store.engine.rows import as_rows, field
from queue_tool.store.tables import batches
from queue_tool.store.telling import tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """What a transaction has closed."""

    finished: tuple[str, ...] = ()  # ids of the batches that have no open task left
    made: tuple[Ticket, ...] = ()  # tickets of the continuations of what has ended


NOTHING = Closed()


def follow_new(connection: Connection, new: NewBatch) -> tuple[Ticket, ...]:
    """Return the tickets of what follows a new batch that has ended at its birth, because all its elements are refused.

    Args:
        connection: the connection of the transaction that has added the batch with its continuations.
        new: the batch.
    """
    if new.accepted or not new.on_finished:
        return ()
    return continuing.follow(connection, {parent_of_batch(new.id): False}, micros(new.created_at))


def closed(
    connection: Connection,
    finished: Sequence[Any],
    now: int,
    ended: Mapping[str, bool] | None = None,
    *,
    told: Sequence[str] = (),
    listening: int | None = None,
) -> Closed:
    """Add the continuations of what has ended, and write what webhooks must hear of.

    Args:
        connection: the connection of the transaction that ends it.
        finished: a row with `id`, `public_id`, `continues` and `listening` for each batch that has ended.
        now: the time of the end, as it is stored.
        ended: by parent, whether it failed or was canceled, for each task with continuations that has ended.
        told: the tasks that ended of which webhooks must hear, in their order.
        listening: `LISTENING`, if no batch has ended.
    """
    parents = dict(ended or {})
    declaring = [[row.id] for row in finished if row.continues]
    if declaring:
        rows = connection.execute(_ENDED_BATCHES, as_rows(declaring))
        parents |= {parent_of_batch(row.public_id): bool(row.failures or row.sealed_by == _CANCEL) for row in rows}
    made = continuing.follow(connection, parents, now)
    ids = tuple(row.public_id for row in finished)
    listening = finished[0].listening if finished else listening
    if listening is not None and (told or ids):
        tell(connection, listening, told, ids, now)
    return Closed(finished=ids, made=made)


_CANCEL = SealedBy.CANCEL.value
"""An open batch that a cancel has sealed lacks elements, so it counts as canceled."""

_ENDED_BATCHES = select(
    batches.c.public_id, (batches.c.failed + batches.c.canceled).label("failures"), batches.c.sealed_by
).where(batches.c.id.in_(select(field(0, BigInteger()))))
