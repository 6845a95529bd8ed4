"""The results of a batch in the order of its elements, read one page at a time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from sqlalchemy import bindparam, select

from queue_tool.model import json_text
from queue_tool.model.batch import item_of
from queue_tool.model.continuation import batch_in, task_in
from queue_tool.model.details import ElementResult
from queue_tool.model.parent_results import PlainResult, ResultPage, WantedPage
from queue_tool.store.batches import refused_of
from queue_tool.store.engine.database import Database
from queue_tool.store.tables import batches, refusals, tasks

PAGE = 500
"""Rows in memory at the same time."""

ON_A_PAGE = 100
"""Results on a page for a continuation: it may go through a pipe as one line."""


NOTHING = -1
"""Before the first row."""


class Results:
    """The results of the elements of batches."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database

    def of(self, batch: str) -> Iterator[ElementResult]:
        """Return the result of each element of a batch. No transaction is open between two pages.

        If a task ends meanwhile, its result may be included.
        """
        tasks_of = self._rows(_TASKS, batch, "id")
        return heapq.merge(map(_of_task, tasks_of), self.refused(batch), key=attrgetter("index"))

    def page(self, wanted: WantedPage) -> ResultPage:
        """Return a page of the results of a parent, in the order of its elements."""
        batch, token = batch_in(wanted.parent), task_in(wanted.parent)
        with self._database.read() as connection:
            if batch is None:
                row = connection.execute(_TASK, {"token": token}).first()
                return ResultPage(results=() if row is None else (_plain(_of_task(row)),), following=None)
            values = {"batch": batch, "most": ON_A_PAGE}
            found = connection.execute(_TASKS, values | {"last": wanted.task}).all()
            refused = connection.execute(_REFUSALS, values | {"last": wanted.refusal}).all()
        rows = [(_of_task(row), row.id, NOTHING) for row in found]
        rows += [(_of_refusal(row), NOTHING, row.position) for row in refused]
        page = sorted(rows, key=lambda each: each[0].index)[:ON_A_PAGE]
        following = WantedPage(
            parent=wanted.parent,
            task=max([wanted.task, *(row for _, row, _ in page)]),
            refusal=max([wanted.refusal, *(place for _, _, place in page)]),
        )
        return ResultPage(
            results=tuple(_plain(each) for each, _, _ in page),
            following=following if len(page) == ON_A_PAGE else None,
        )

    def refused(self, batch: str) -> Iterator[ElementResult]:
        """Return the refused elements of a batch, in their order."""
        return map(_of_refusal, self._rows(_REFUSALS, batch, "position"))

    def _rows(self, statement: Any, batch: str, key: str) -> Iterator[Any]:
        last = -1
        while True:
            with self._database.read() as connection:
                rows = connection.execute(statement, {"batch": batch, "last": last, "most": PAGE}).all()
            yield from rows
            if len(rows) < PAGE:
                return
            last = getattr(rows[-1], key)


def _of_task(row: Any) -> ElementResult:
    return ElementResult(
        index=row.position,
        custom_id=row.custom_id,
        item=item_of(json_text.loads(row.data)),
        token=row.token,
        status=row.state,
        result=row.result,
        error={"code": row.code, "message": row.error} if row.code else None,
    )


def _of_refusal(row: Any) -> ElementResult:
    refused = refused_of(row)
    errors = [{"path": error.path, "message": error.message} for error in refused.errors]
    return ElementResult(
        index=refused.index,
        custom_id=refused.custom_id,
        item=refused.item,
        token=None,
        status="rejected",
        result=None,
        error={"code": "rejected", "errors": errors},
    )


def _plain(element: ElementResult) -> PlainResult:
    return PlainResult(
        index=element.index,
        token=element.token,
        custom_id=element.custom_id,
        status=element.status,
        item=_text(element.item),
        result=element.result,
        error=_text(element.error),
    )


def _text(value: object) -> str | None:
    return None if value is None else json_text.dumps(value).decode()


_MINE = select(batches.c.id).where(batches.c.public_id == bindparam("batch")).scalar_subquery()

_RESULTS = select(
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

_TASK = _RESULTS.where(tasks.c.token == bindparam("token"))

_TASKS = (
    _RESULTS.where(tasks.c.batch_id == _MINE, tasks.c.id > bindparam("last"))
    .order_by(tasks.c.id)
    .limit(bindparam("most"))
)

_REFUSALS = (
    select(refusals)
    .where(refusals.c.batch_id == _MINE, refusals.c.position > bindparam("last"))
    .order_by(refusals.c.position)
    .limit(bindparam("most"))
)
