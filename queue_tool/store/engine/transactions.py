"""The numbers of transactions on PostgreSQL, where a transaction with a lower number may commit later.

On SQLite only one transaction writes at a time, so the ids of rows are in the order of the commits.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import NullType


class own_number(GenericFunction[int]):
    """The number of this transaction; 0 on SQLite."""

    type = BigInteger()
    inherit_cache = True


class first_unfinished(GenericFunction[int]):
    """The lowest number of a transaction that may still commit. On SQLite it is above all numbers."""

    type = BigInteger()
    inherit_cache = True


class is_overtaken(GenericFunction[Any]):
    """Whether no transaction up to this number can still commit. Its argument is the number.

    A number that is still to come is one of another server, from a backup. It has no type: for a Boolean function,
    SQLAlchemy would add `= 1` on SQLite.
    """

    type = NullType()
    inherit_cache = True


@compiles(own_number)
def _no_number(element: Any, compiler: Any, **kw: Any) -> str:
    return "0"


@compiles(own_number, "postgresql")
def _number_of_the_server(element: Any, compiler: Any, **kw: Any) -> str:
    return "txid_current()"


@compiles(is_overtaken)
def _always(element: Any, compiler: Any, **kw: Any) -> str:
    return "1"


@compiles(is_overtaken, "postgresql")
def _as_the_server_sees(element: Any, compiler: Any, **kw: Any) -> str:
    number = compiler.process(element.clauses, **kw)
    snapshot = "txid_current_snapshot()"
    return f"({number} < txid_snapshot_xmin({snapshot}) OR {number} >= txid_snapshot_xmax({snapshot}))"


@compiles(first_unfinished)
def _above_all(element: Any, compiler: Any, **kw: Any) -> str:
    return "1"


@compiles(first_unfinished, "postgresql")
def _lowest_of_the_server(element: Any, compiler: Any, **kw: Any) -> str:
    return "txid_snapshot_xmin(txid_current_snapshot())"
