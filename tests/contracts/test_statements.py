"""Statements as they are sent: compiled once for all SQLite databases of a process, and by which connection."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Select, bindparam, insert, literal, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from queue_tool.store.batches import WITH_RUNNING
from queue_tool.store.ends import of_new_batch
from queue_tool.store.engine.database import Database, moment
from queue_tool.store.engine.direct import Direct
from queue_tool.store.engine.rows import as_rows
from queue_tool.store.engine.sqlite import driver_of
from queue_tool.store.tables import batches
from queue_tool.store.tickets import BY_SENDERS
from queue_tool.store.unique import ANY_BETWEEN
from tests.past_the_store import rows


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
        (ANY_BETWEEN, {"task_type": "a", "first": "b", "last": "c"}, ("ix_tasks_unique_key",)),
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


def test_a_direct_statement_does_on_each_database_what_sqlalchemy_does(migrated_url: str) -> None:
    row = {"public_id": "a", "rejected": 0, "created_at": 1, **of_new_batch(2, 0, moment(0))}
    adds, adds_many = Direct(insert(batches).returning(batches.c.id)), Direct(insert(batches))
    renames = Direct(update(batches).where(batches.c.open > 1).values(name=bindparam("to")))
    finds = Direct(select(batches.c.public_id, batches.c.name).where(batches.c.id == bindparam("row")))
    with closing(Database(migrated_url)) as database:
        with database.write() as connection:
            first, second = (adds.first(connection, each)[0] for each in (row, row | {"public_id": "b", "name": "n"}))
            adds_many.run_each(connection, [row | {"public_id": name, "open": 1} for name in "cd"])
            renames.run(connection, {"to": "m"})
            assert tuple(finds.first(connection, {"row": second})) == ("b", "m")
            assert finds.first(connection, {"row": 99}) is None
        assert rows(migrated_url, "SELECT public_id, name, accepted FROM batches ORDER BY id") == [
            ("a", "m", 2),
            ("b", "m", 2),
            ("c", None, 2),
            ("d", None, 2),
        ]
        with pytest.raises((sqlite3.IntegrityError, IntegrityError)), database.write() as connection:
            adds_many.run_each(connection, [row | {"public_id": name} for name in "ea"])
        assert rows(migrated_url, "SELECT count(*) FROM batches") == [(4,)]
    assert first < second


def test_the_connection_that_writes_to_a_file_is_kept_until_an_error_or_another_file(tmp_path: Path) -> None:
    path = tmp_path / "one.db"
    with closing(Database(f"sqlite:///{path}")) as database:
        database.prepare()
        found = []
        for durable in (True, False, True):
            with database.write(durable=durable) as connection:
                kept = driver_of(connection)
                found.append((kept, kept.execute("PRAGMA synchronous").fetchone()))
        assert found == [(kept, (2,)), (kept, (1,)), (kept, (2,))]  # FULL waits for the disk, NORMAL does not
        with pytest.raises(OperationalError), database.write() as connection:
            connection.exec_driver_sql("nonsense")
        with database.write() as connection:
            kept = driver_of(connection)
        path.rename(tmp_path / "moved.db")
        path.touch()
        with database.read() as connection:  # a read notices it, too
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            kept.execute("SELECT 1")
        with database.write() as connection:
            kept = driver_of(connection)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        kept.execute("SELECT 1")
