"""The results of a batch in the order of its elements, read one page at a time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from sqlalchemy import bindparam, select

from queue_tool.model import json_text
from queue_tool.model.batch import item_of
from queue_tool.model.details import ElementResult
from queue_tool.store.batches import refused_of
from queue_tool.store.engine.database import Database
from queue_tool.store.tables import batches, refusals, tasks

PAGE = 500
"""Rows in memory at the same time."""


class Results:
    """The results of the elements of batches."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database

    def of(self, batch: str) -> Iterator[ElementResult]:
        """Return the result of each element of a batch. No transaction is open between two pages.

        If a task ends meanwhile, its result may be included.
        """
        return heapq.merge(self._tasks(batch), self.refused(batch), key=attrgetter("index"))

    def _tasks(self, batch: str) -> Iterator[ElementResult]:
        return (
            ElementResult(
                index=row.position,
                custom_id=row.custom_id,
                item=item_of(json_text.loads(row.data)),
                token=row.token,
                status=row.state,
                result=row.result,
                error={"code": row.code, "message": row.error} if row.code else None,
            )
            for row in self._rows(_TASKS, batch, "id")
        )

    def refused(self, batch: str) -> Iterator[ElementResult]:
        """Return the refused elements of a batch, in their order."""
        for row in self._rows(_REFUSALS, batch, "position"):
            refused = refused_of(row)
            errors = [{"path": error.path, "message": error.message} for error in refused.errors]
            yield ElementResult(
                index=refused.index,
                custom_id=refused.custom_id,
                item=refused.item,
                token=None,
                status="rejected",
                result=None,
                error={"code": "rejected", "errors": errors},
            )

    def _rows(self, statement: Any, batch: str, key: str) -> Iterator[Any]:
        last = -1
        while True:
            with self._database.read() as connection:
                rows = connection.execute(statement, {"batch": batch, "last": last, "most": PAGE}).all()
            yield from rows
            if len(rows) < PAGE:
                return
            last = getattr(rows[-1], key)


_MINE = select(batches.c.id).where(batches.c.public_id == bindparam("batch")).scalar_subquery()

_TASKS = (
    select(
        tasks.c.id,
        tasks.c.position,
        tasks.c.custom_id,
        tasks.c.token,
        tasks.c.data,
        tasks.c.state,
        tasks.c.result,
        tasks.c.code,
        tasks.c.error,
    )
    .where(tasks.c.batch_id == _MINE, tasks.c.id > bindparam("last"))
    .order_by(tasks.c.id)
    .limit(bindparam("most"))
)

_REFUSALS = (
    select(refusals)
    .where(refusals.c.batch_id == _MINE, refusals.c.position > bindparam("last"))
    .order_by(refusals.c.position)
    .limit(bindparam("most"))
)
