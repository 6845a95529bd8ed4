"""Compiled statements: a process compiles each of them once for all its SQLite databases."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Select, literal, select

from queue_tool.store.batches import WITH_RUNNING
from queue_tool.store.engine.database import Database
from queue_tool.store.engine.rows import as_rows
from queue_tool.store.tickets import BY_SENDERS


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


@pytest.mark.parametrize(
    ("statement", "parameters", "used"),
    [
        (WITH_RUNNING, as_rows(["a"]), ("ix_tasks_running", "batches_public_id|sqlite_autoindex_batches_1")),
        (BY_SENDERS, {"most": 1}, ("ix_tasks_being_pushed",)),
    ],
)
def test_what_is_read_often_does_not_read_all_tasks(
    migrated_url: str, statement: Select[Any], parameters: dict[str, object], used: tuple[str, ...]
) -> None:
    database = Database(migrated_url)
    compiled = database.compiled(statement)
    explain = "EXPLAIN QUERY PLAN" if database.is_file else "EXPLAIN"
    known = compiled.params | parameters
    sent = [known[name] for name in compiled.positiontup or ()] if compiled.positional else known
    plan = str(database.all_rows(f"{explain} {compiled}", sent))
    database.close()
    for index in used:
        assert re.search(index, plan), plan
    assert set(re.findall(r"ix_tasks_\w+", plan)) <= {*used}
