"""Compiled statements: a process compiles each of them once for all its SQLite databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import literal, select

from queue_tool.store.engine.database import Database


def test_a_statement_is_compiled_once_for_all_sqlite_databases_of_a_process(tmp_path: Path) -> None:
    statement = select(literal(1).label("of_this_test"))
    found = []
    for name in ("one", "another"):
        database = Database(f"sqlite:///{tmp_path}/{name}.db")
        database.prepare()
        for transaction in (database.read, database.write):
            with transaction() as connection:
                result: Any = connection.execute(statement)
                found.append((result.scalar(), result.context.cache_hit.name))
        database.close()
    assert found == [(1, "CACHE_MISS")] + 3 * [(1, "CACHE_HIT")]
