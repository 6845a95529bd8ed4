"""Failures that only a database server has: no database, a cut connection, a missing permission."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection

from queue_tool.errors import StoreAway
from queue_tool.store import migrations
from queue_tool.store.engine.database import Changes, Database
from queue_tool.store.engine.driver import BoundedConnection
from tests.past_the_store import opened, rows
from tests.postgres import Cluster
from tests.support import clean_environment, run_command
from tests.warm import interpreter


@pytest.fixture
def storage() -> str:
    return "postgres"


def test_watching_a_missing_database_raises_store_away(cluster: Cluster) -> None:
    changes = Changes(Database(cluster.url("nowhere")))
    with pytest.raises(StoreAway):
        changes.version()


def test_watching_reports_a_cut_connection_once_and_then_works_again(migrated_url: str, cluster: Cluster) -> None:
    database = Database(migrated_url)
    changes = Changes(database)
    before = changes.version()
    cluster.cut_connections()
    with pytest.raises(StoreAway):
        changes.version()
    assert changes.version() == before
    changes.close()
    database.close()


def test_a_cut_connection_does_not_fail_later_transactions(migrated_url: str, cluster: Cluster) -> None:
    database = Database(migrated_url)
    uses = (database.read, database.write, partial(database.write, durable=False))
    for use in uses:
        with use() as connection:
            connection.exec_driver_sql("SELECT 1")
    cluster.cut_connections()
    for use in uses:
        with use() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    assert database.first_row("SELECT 1", {}) == (1,)
    database.close()


def test_a_connection_that_has_just_answered_is_not_asked_again(migrated_url: str) -> None:
    database = Database(migrated_url)
    with database.read() as connection:
        driver = driver_of(connection)
    answered_at = driver.answered_at
    driver.require_open()
    assert driver.answered_at == answered_at
    driver.answered_at = float("-inf")
    driver.require_open()
    assert driver.answered_at > answered_at
    assert not driver.autocommit
    database.close()


def driver_of(connection: Connection) -> BoundedConnection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, BoundedConnection)
    return driver


def test_a_statement_without_an_end_is_given_up_by_the_server_and_by_the_client(
    migrated_url: str, cluster: Cluster
) -> None:
    database = Database(migrated_url, timeout=0.2)
    for use in (database.read, database.write):
        with pytest.raises(StoreAway), use() as connection:
            connection.exec_driver_sql("SELECT pg_sleep(600)")
    assert rows(migrated_url, "SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'") == []
    cluster.hang()
    try:
        with pytest.raises(StoreAway), database.read() as connection:
            connection.exec_driver_sql("SELECT 1")
    finally:
        cluster.go_on()
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    with database.write(unhurried=True) as connection:  # for migrations and copies
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "0"
    database.close()


def test_a_postgres_database_has_no_file_path(cluster: Cluster) -> None:
    with pytest.raises(ValueError, match="no file"):
        _ = Database(cluster.url("anything")).path


def test_an_upgrade_without_permission_to_create_tables_prints_one_sentence(cluster: Cluster, tmp_path: Path) -> None:
    name = cluster.new_database()
    cluster.run(f"CREATE ROLE {name} LOGIN")
    cluster.run(f"REVOKE CREATE ON DATABASE {name} FROM PUBLIC")
    url = cluster.url(name).replace("postgres@", f"{name}@")
    done = run_command("db", "upgrade", cwd=tmp_path, DATABASE_URL=url)
    assert done.returncode == 1
    assert done.stderr == "queue-tool: The database cannot be used: permission denied for schema public.\n"
    cluster.drop(name)
    cluster.run(f"DROP ROLE {name}")


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_of_another_encoding_is_refused_in_one_sentence(cluster: Cluster, encoding: str) -> None:
    name = f"test_{encoding.lower()}"
    cluster.run(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0")
    database = Database(cluster.url(name))
    with pytest.raises(StoreAway, match=f"the encoding {encoding}: create one with `ENCODING 'UTF8'`") as refused:
        migrations.upgrade(database)
    assert refused.value.for_operator == refused.value.sentence
    database.close()


def test_the_options_of_a_url_and_of_the_environment_are_obeyed(cluster: Cluster, tmp_path: Path) -> None:
    name = cluster.new_database()
    url = cluster.url(name)
    with opened(url) as connection:
        connection.execute("CREATE SCHEMA by_url")
        connection.execute("CREATE SCHEMA by_environment")
    environment = clean_environment(DATABASE_URL=url) | {"PGOPTIONS": "-c search_path=by_environment"}
    made = interpreter().run(["-m", "queue_tool", "db", "upgrade"], cwd=tmp_path, env=environment, timeout=60)
    assert made.returncode == 0, made.stderr
    database = Database(f"{url}&options=-csearch_path%3Dby_url%20-clock_timeout%3D1&application_name=mine")
    migrations.upgrade(database)
    with database.write() as connection:
        seen = "SELECT current_setting('application_name'), current_setting('lock_timeout'), current_setting('jit')"
        assert connection.exec_driver_sql(seen).one() == ("mine", "5s", "off")  # ours are needed, so they win
    database.close()
    found = "SELECT DISTINCT table_schema FROM information_schema.tables WHERE table_name IN ('tasks', 'batches')"
    assert sorted(rows(url, found)) == [("by_environment",), ("by_url",)]
