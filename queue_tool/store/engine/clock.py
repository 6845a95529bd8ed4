"""The clock of a lease: the database's own on PostgreSQL, because the clocks of its hosts differ.

On SQLite all processes are on one host, so the time comes from the caller.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction


class database_now(GenericFunction[int]):
    """The present time in microseconds since 1970. Its argument is the caller's time."""

    type = BigInteger()
    inherit_cache = True


@compiles(database_now)
def _now_of_the_caller(element: Any, compiler: Any, **kw: Any) -> str:
    return str(compiler.process(element.clauses, **kw))


@compiles(database_now, "postgresql")
def _now_of_the_server(element: Any, compiler: Any, **kw: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"
