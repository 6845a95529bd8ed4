"""Tries in the store: what came of each request to the receiver of a webhook."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select

from queue_tool.model.delivery import Try
from queue_tool.model.webhook import TryResult
from queue_tool.store.engine.database import micros, moment
from queue_tool.store.webhook_tables import deliveries

MOST_KEPT = 500
"""Tries that are kept for one webhook."""


def try_of(row: Any) -> Try:
    """Return the try of a row."""
    return Try(
        message=row.message,
        type=row.type,
        count=row.count,
        at=moment(row.at),
        number=row.tries,
        outcome=TryResult(row.outcome),
        seconds=row.seconds,
        status=row.status,
        answer=row.answer,
        problem=row.problem,
    )


def record_try(connection: Connection, row: int, done: Try) -> None:
    """Record a try, and forget the oldest ones of the webhook, which is given by its row."""
    values = {
        "webhook_id": row,
        "message": done.message,
        "type": done.type,
        "count": done.count,
        "at": micros(done.at),
        "tries": done.number,
        "outcome": done.outcome.value,
        "seconds": done.seconds,
        "status": done.status,
        "answer": done.answer,
        "problem": done.problem,
    }
    connection.execute(insert(deliveries), values)
    connection.execute(_FORGET_TRIES, {"of": row})


_FORGET_TRIES = delete(deliveries).where(
    deliveries.c.webhook_id == bindparam("of"),
    deliveries.c.id
    <= select(deliveries.c.id)
    .where(deliveries.c.webhook_id == bindparam("of"))
    .order_by(deliveries.c.id.desc())
    .offset(MOST_KEPT)
    .limit(1)
    .scalar_subquery(),
)
