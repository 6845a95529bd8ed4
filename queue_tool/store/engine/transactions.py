"""The numbers of transactions on PostgreSQL, where a transaction with a lower number may commit later.

On SQLite only one transaction writes at a time, so the ids of rows are in the order of the commits.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction


class own_number(GenericFunction[int]):  # noqa: N801 - named like an SQL function
    """The number of this transaction; 0 on SQLite."""

    type = BigInteger()
    inherit_cache = True


class first_unfinished(GenericFunction[int]):  # noqa: N801 - named like an SQL function
    """The lowest number of a transaction that may still commit. On SQLite it is above all numbers."""

    type = BigInteger()
    inherit_cache = True


@compiles(own_number)
def _no_number(element: Any, compiler: Any, **kw: Any) -> str:  # noqa: ARG001 - the signature of a compiler
    return "0"


@compiles(own_number, "postgresql")
def _number_of_the_server(element: Any, compiler: Any, **kw: Any) -> str:  # noqa: ARG001 - the same
    return "txid_current()"


@compiles(first_unfinished)
def _above_all(element: Any, compiler: Any, **kw: Any) -> str:  # noqa: ARG001 - the same
    return "1"


@compiles(first_unfinished, "postgresql")
def _lowest_of_the_server(element: Any, compiler: Any, **kw: Any) -> str:  # noqa: ARG001 - the same
    return "txid_snapshot_xmin(txid_current_snapshot())"
