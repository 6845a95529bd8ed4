"""Driving: which condition of a query is searched in an index, in a database without statistics.

SQLite knows nothing of the values in our tables: to it, a batch of a million tasks and one of ten are alike. So a query
with several conditions first counts, up to a bound, how many rows satisfy each of them alone. The rarest one drives:
its index finds the rows, and the others are only compared. PostgreSQL decides this by its statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, UnaryExpression, exists, func, literal_column, select
from sqlalchemy.sql.operators import custom_op

from queue_tool.store.engine.statistics import has_statistics
from queue_tool.store.tables import tags, tasks

BOUNDS = (500, 30_000, 150_000)
"""How many entries of each index are counted at most, until one of them has fewer."""

SORTED = 30_000
"""So many rows at most are sorted. Of more rows, some are found sooner by a walk through all tasks in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """A condition that has an index."""

    condition: ColumnElement[bool]
    order: ColumnElement[Any] | None = tasks.c.id  # the column by which the index returns its rows; None: none
    is_tag: bool = False  # it is a condition on the table of tags

    @property
    def joined(self) -> ColumnElement[bool]:
        """Return the condition for a task."""
        return exists().where(tags.c.task_id == tasks.c.id, self.condition) if self.is_tag else self.condition


def driven(
    connection: Connection,
    part: Select[Any],
    conditions: Sequence[Indexed],
    key: ColumnElement[Any],
    bounds: Sequence[ColumnElement[bool]] = (),
) -> Select[Any]:
    """Return a query with these conditions and the order of a column, downwards, so that the rarest condition drives.

    Args:
        connection: where the query is sent.
        part: the query for columns of tasks.
        conditions: the conditions. If none is rare, the first of them drives.
        key: the column.
        bounds: of the ids of all tasks that match. Only a planner with statistics needs them.
    """
    if not conditions:
        return part.order_by(key.desc())
    if has_statistics(connection):
        return _with(part.where(*bounds), conditions, None, key)
    place, count = _rarest(connection, conditions) if len(conditions) > 1 else (0, SORTED)
    return _with(part, conditions, conditions[place], key, is_rare=count < SORTED)


def _with(
    part: Select[Any],
    conditions: Sequence[Indexed],
    driver: Indexed | None,
    key: ColumnElement[Any],
    *,
    is_rare: bool = False,
) -> Select[Any]:
    """Return the query with its conditions. Without a driver, the database is free to choose it."""
    order = key
    for each in conditions:
        if each.is_tag and driver in (None, each):
            part = part.join(tags, tags.c.task_id == tasks.c.id).where(each.condition)
            order = tags.c.task_id if key is tasks.c.id else key
        else:
            part = part.where(each.joined if driver in (None, each) else _plus(each.joined))
    if driver is not None and (driver.order is None or (is_rare and driver.order is not key)):
        order = _plus(key)  # otherwise SQLite might walk through all tasks, which are in this order
    return part.order_by(order.desc())


def _rarest(connection: Connection, conditions: Sequence[Indexed]) -> tuple[int, int]:
    """Return the place of the rarest condition, and how many rows satisfy it: the last bound if there are more."""
    for bound in BOUNDS:
        counts = connection.execute(select(*(_count(each, bound) for each in conditions))).one()
        if min(counts) < bound:
            return list(counts).index(min(counts)), min(counts)
    return 0, BOUNDS[-1]


def _count(each: Indexed, bound: int) -> ColumnElement[int]:
    """Return the subquery that counts the rows that satisfy a condition. It reads only entries of its index."""
    table = tags if each.is_tag else tasks
    found: Select[Any] = (
        select(literal_column("1")).select_from(table).where(each.condition).limit(literal_column(str(bound)))
    )
    return select(func.count()).select_from(found.subquery()).scalar_subquery()


def _plus(term: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the same term with a plus sign, for which SQLite uses no index."""
    return UnaryExpression(term.self_group(), operator=custom_op("+"))
