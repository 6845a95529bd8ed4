"""Compiled statements: a process compiles each of them once for all its SQLite databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import literal, select

from queue_tool.store.batches import WITH_RUNNING
from queue_tool.store.engine.database import Database
from queue_tool.store.engine.rows import as_rows


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


def test_a_batch_is_read_without_reading_its_tasks(migrated_url: str) -> None:
    database = Database(migrated_url)
    compiled = database.compiled(WITH_RUNNING)
    explain = "EXPLAIN QUERY PLAN" if database.is_file else "EXPLAIN"
    parameters = compiled.params | as_rows(["a"])
    sent = [parameters[name] for name in compiled.positiontup or ()] if compiled.positional else parameters
    plan = str(database.all_rows(f"{explain} {compiled}", sent))
    database.close()
    assert "ix_tasks_running" in plan
    assert "ix_tasks_batch_id" not in plan
    assert "uq_batches_public_id" in plan or "sqlite_autoindex_batches_1" in plan
