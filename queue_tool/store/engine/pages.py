"""Pages of a group: the rows of one group after an id, read from the index on group and id and from nowhere else."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import NullType


class in_group_after(GenericFunction[Any]):
    """Whether a row is in a group and after an id. Its arguments: the columns of group and id, the group, the id.

    Order the rows by both columns. With `group = ...`, PostgreSQL may read the rows of all groups by their ids, so it
    gets a range there. SQLite cannot begin in the middle of that range.

    It has no type: for a Boolean function, SQLAlchemy would add `= 1` on SQLite.
    """

    type = NullType()
    inherit_cache = True


@compiles(in_group_after)
def _on_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    of_group, of_id, group, after = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{of_group} = {group} AND {of_id} > {after}"


@compiles(in_group_after, "postgresql")
def _on_postgres(element: Any, compiler: Any, **kw: Any) -> str:
    of_group, of_id, group, after = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({of_group}, {of_id}) > ({group}, {after}) AND {of_group} <= {group}"
