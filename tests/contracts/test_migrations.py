"""Migrations make the tables of the code, go up and down with rows in place, and may run concurrently."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Table, inspect

from queue_tool.errors import SchemaOutdated
from queue_tool.model.states import State
from queue_tool.store import Store, migrations
from queue_tool.store.engine.database import Database
from queue_tool.store.indexes import metadata
from tests.contracts.any_tables import Row, Rows, contents, fill, schema_of, tables_of


@pytest.fixture
def database(empty_url: str) -> Iterator[Database]:
    made = Database(empty_url)
    yield made
    made.close()


def test_the_migrated_tables_are_those_of_the_code(database: Database) -> None:
    migrations.upgrade(database)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        found = inspect(connection)
        for table in metadata.tables.values():
            expected = {index.name: [column.name for column in index.columns] for index in table.indexes}
            indexes = {index["name"]: index["column_names"] for index in found.get_indexes(table.name)}
            assert {name: indexes.get(str(name)) for name in expected} == expected


def test_partial_indexes_have_the_conditions_of_the_code(database: Database) -> None:
    migrations.upgrade(database)
    query = _INDEXES if database.is_file else "SELECT indexname, indexdef FROM pg_indexes"
    with database.read() as connection:
        made = {row[0]: row[1] for row in connection.exec_driver_sql(query)}
    for table in metadata.tables.values():
        for index in table.indexes:
            condition = index.dialect_options["sqlite"]["where"]
            definition = str(made[str(index.name)])
            assert (condition is not None) == (" WHERE " in definition)
            if condition is not None and database.is_file:  # PostgreSQL rewrites the condition
                assert definition.endswith(f"WHERE {condition}")


_INDEXES = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql NOTNULL"


STEPS = list(reversed([*ScriptDirectory(str(migrations.folder())).walk_revisions()]))


def test_each_migration_goes_up_down_and_up_again_and_every_row_stays(database: Database) -> None:
    migrations.upgrade(database, "base")
    old = _found(database)
    for number, step in enumerate(STEPS):
        revision, before = step.revision, str(step.down_revision or "base")
        old_rows = _filled(database, old.tables, first=1 + 2000 * number)

        migrations.upgrade(database, revision)
        new = _found(database)
        _require_kept(_without(old_rows, REMOVED.get(revision)), new.rows)
        new_rows = _filled(database, new.tables, first=1001 + 2000 * number)

        migrations.downgrade(database, before)
        found = _found(database)
        assert found.schema == old.schema, revision
        _require_kept(_as_before(revision, new_rows), found.rows, dropped=_added(old_rows, new_rows))

        migrations.upgrade(database, revision)
        old = _found(database)
        assert old.schema == new.schema, revision
        _require_kept(_without(found.rows, REMOVED.get(revision)), old.rows)


def test_all_migrations_go_down_and_up_again_at_once_with_rows_in_every_table(database: Database) -> None:
    migrations.upgrade(database)
    _filled(database, _found(database).tables)
    migrations.downgrade(database, "base")
    assert migrations.current(database) is None
    migrations.upgrade(database)
    migrations.require_current(database)


def _before_0004(table: str, row: Row) -> Row | None:
    """Return the row before 0004, which had no scheduled tasks: the downgrade makes them queued and unpushed."""
    if table == "tasks" and row["state"] == State.SCHEDULED:
        return {**row, "state": State.QUEUED.value, "pushed_at": None}
    return row


def _before_0006(table: str, row: Row) -> Row | None:
    """Return the row before 0006, where workers that are gone had no row and only running tasks had an owner."""
    if table == "workers" and row["gone_at"] is not None:
        return None
    if table == "tasks" and row["state"] != State.RUNNING:
        return {**row, "owner": None}
    return row


def _before_0014(table: str, row: Row) -> Row | None:
    """Return the row before 0014, which had no open batches: the downgrade seals them."""
    if table == "batches" and row["filled_at"] is not None:
        return {**row, "open": row["open"] - 1, "finished_at": row["filled_at"] if row["open"] == 1 else None}
    return row


def _before_0015(table: str, row: Row) -> Row | None:
    """Return the row before 0015, when no batch was held by a bulk retry: the downgrade releases them."""
    until = row.get("reopening_until")
    if table == "batches" and until is not None:
        return {**row, "open": row["open"] - 1, "finished_at": until if row["open"] == 1 else None}
    return row


CHANGED_BY_DOWNGRADES: Mapping[str, Callable[[str, Row], Row | None]] = {
    "0004": _before_0004,
    "0006": _before_0006,
    "0014": _before_0014,
    "0015": _before_0015,
}
"""How a downgrade changes a row, apart from the columns that it drops; None if it must remove the row."""


REMOVED: Mapping[str, str] = {"0013": "held_lists"}
"""The table that an upgrade removes: its rows say only what the tasks' rows say too."""


def _without(contents: Mapping[str, Rows], table: str | None) -> dict[str, Rows]:
    return {name: rows for name, rows in contents.items() if name != table}


def _as_before(revision: str, rows: Mapping[str, Rows]) -> dict[str, Rows]:
    """Return the rows that must remain after a downgrade from a revision, still with all their columns."""
    change = CHANGED_BY_DOWNGRADES.get(revision)
    if change is None:
        return dict(rows)
    return {table: found.changed(partial(change, table)) for table, found in rows.items()}


def _added(old: Mapping[str, Rows], new: Mapping[str, Rows]) -> set[str]:
    return _columns(new) - _columns(old)


def _columns(contents: Mapping[str, Rows]) -> set[str]:
    """Return the columns of all tables."""
    return {f"{table}.{column}" for table, rows in contents.items() for column in rows.columns}


def _require_kept(before: Mapping[str, Rows], after: Mapping[str, Rows], dropped: Collection[str] = ()) -> None:
    """Check that every row still exists, with the same value in every column that was not dropped.

    Other rows are ignored, because a migration may have made them.
    """
    for table, rows in before.items():
        kept = [column for column in rows.columns if f"{table}.{column}" not in dropped]
        if kept:  # otherwise the table is dropped
            assert rows.key <= {*kept}, table
            assert rows.of(kept) - after[table].of(kept) == set(), table


@dataclass(frozen=True)
class Found:
    """What a database has at a revision. Reading the schema takes most of the time."""

    schema: dict[str, dict[str, str]]
    tables: list[Table]
    rows: dict[str, Rows]


def _found(database: Database) -> Found:
    with database.read() as connection:
        found = inspect(connection)
        tables = tables_of(found)
        return Found(schema_of(found), tables, contents(connection, tables))


def _filled(database: Database, tables: list[Table], first: int = 1) -> dict[str, Rows]:
    """Add rows; return the rows that the tables then have."""
    with database.write() as connection:
        fill(connection, tables, first)
    with database.read() as connection:
        return contents(connection, tables)


def test_the_migration_to_counts_counts_the_tasks_of_each_batch(database: Database) -> None:
    migrations.upgrade(database)
    migrations.downgrade(database, COUNTS_BEFORE)
    states = ["scheduled", "failed", "failed", "canceled", "queued", "running", "finished", "finished"]
    with database.write() as connection:
        for number in (1, 2):
            connection.exec_driver_sql(_OLD_BATCH.format(number, 8 if number == 1 else 0))
        for number, state in enumerate(states):
            connection.exec_driver_sql(_OLD_TASK.format(number, state))
    migrations.upgrade(database)
    store = Store(database)
    assert store.batches.get("1").counts == {state: states.count(state.value) for state in State}
    assert store.batches.get("2").counts == dict.fromkeys(State, 0)


COUNTS_BEFORE = str(next(step for step in STEPS if "counts of a batch" in (step.doc or "")).down_revision)
"""The revision before the one that adds the counts."""

_OLD_BATCH = """INSERT INTO batches (id, public_id, accepted, rejected, open, created_at)
    VALUES ({0}, '{0}', {1}, 0, {1} * 3 / 8, 0)"""

_OLD_TASK = """INSERT INTO tasks
    (token, batch_id, position, task_type, priority, lane, data, state, run, attempt, losses, created_at)
    VALUES ('t{0}', 1, {0}, 'x', 'normal', 'threads', '1', '{1}', 1, 1, 0, 0)"""


def test_the_newest_migration_is_alembics_head() -> None:
    assert migrations.head() == ScriptDirectory(str(migrations.folder())).get_current_head()


def test_concurrent_upgrades_do_not_fail(database: Database) -> None:
    failures: list[BaseException] = []

    def upgrade() -> None:
        mine = Database(database.url)
        try:
            migrations.upgrade(mine)
        except BaseException as error:  # noqa: BLE001 - the test reports every kind of error
            failures.append(error)
        mine.close()

    threads = [threading.Thread(target=upgrade) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    migrations.require_current(database)


def test_an_outdated_database_is_refused_with_the_command_to_run(database: Database) -> None:
    with pytest.raises(SchemaOutdated, match="queue-tool db upgrade"):
        migrations.require_current(database)


def test_a_database_of_a_newer_version_is_left_unchanged(database: Database) -> None:
    migrations.upgrade(database)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaOutdated, match="is at revision 9999, which is newer"):
        migrations.upgrade(database)
    assert migrations.current(database) == "9999"
