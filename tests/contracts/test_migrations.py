"""Migrations: they make the tables of the code, go up and down with rows in place, and may run twice at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from queue_tool.errors import SchemaOutdated
from queue_tool.services.owner import describe
from queue_tool.store import Store, migrations
from queue_tool.store.engine.database import Database
from queue_tool.store.tables import metadata


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
            if condition is not None and database.is_file:  # PostgreSQL writes it in its own words
                assert definition.endswith(f"WHERE {condition}")


_INDEXES = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql NOTNULL"


def test_every_migration_goes_down_and_up_again_with_rows_in_place(database: Database) -> None:
    migrations.upgrade(database)
    Store(database).workers.register(describe("test"), datetime.now(UTC))
    migrations.downgrade(database, "base")
    assert migrations.current(database) is None
    migrations.upgrade(database)
    migrations.require_current(database)


def test_the_newest_migration_is_alembics_head() -> None:
    assert migrations.head() == ScriptDirectory(str(migrations.folder())).get_current_head()


def test_two_upgrades_at_once_are_one(database: Database) -> None:
    failures: list[BaseException] = []

    def upgrade() -> None:
        mine = Database(database.url)
        try:
            migrations.upgrade(mine)
        except BaseException as error:  # noqa: BLE001 - the test is about every one of them
            failures.append(error)
        mine.close()

    threads = [threading.Thread(target=upgrade) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    migrations.require_current(database)


def test_a_database_of_another_version_is_refused_with_the_way_out(database: Database) -> None:
    with pytest.raises(SchemaOutdated, match="queue-tool db upgrade"):
        migrations.require_current(database)


def test_a_database_of_a_newer_version_is_left_as_it_is(database: Database) -> None:
    migrations.upgrade(database)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaOutdated, match="is at revision 9999, which is newer"):
        migrations.upgrade(database)
    assert migrations.current(database) == "9999"
