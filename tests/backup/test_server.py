"""Backup and restore on PostgreSQL, by its own programs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from queue_tool.store.tables import metadata
from tests.backup.test_commands import RUNNING
from tests.cli.test_cli import the_one_sentence
from tests.postgres import Cluster
from tests.support import LIMIT, run_command
from tests.warm import interpreter

STATE = "SELECT token, state, run, losses, attempt, pushed_at FROM tasks"


@pytest.fixture
def url(cluster: Cluster, migrated_template: str) -> Iterator[str]:
    """The URL of a database with empty tables."""
    name = cluster.new_database(migrated_template)
    yield cluster.url(name)
    cluster.drop(name)


def run(directory: Path, url: str, *words: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run `queue-tool db` with these words."""
    return run_command("db", *words, cwd=directory, DATABASE_URL=url, **settings)


def rows(url: str, query: str) -> list[Any]:
    """Return the rows of a query."""
    with psycopg.connect(url) as connection:
        done = connection.execute(query.encode())
        return done.fetchall() if done.description else []


@pytest.mark.sqlite  # it is about PostgreSQL, whatever the storage of the others
def test_a_backup_is_restored_and_nothing_old_matches(url: str, tmp_path: Path) -> None:
    rows(url, RUNNING)
    rows(url, "CREATE TABLE of_another (id int)")
    ((before,),) = rows(url, "SELECT value FROM identity")
    done = run(tmp_path, url, "backup", "copy.dump")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("copy.dump is a backup of the database: 1 tasks, 0 batches, revision ")
    assert (tmp_path / "copy.dump").stat().st_mode & 0o777 == 0o600
    assert "exists: name another file" in the_one_sentence(run(tmp_path, url, "backup", "copy.dump"))
    rows(url, "UPDATE tasks SET state = 'finished'")
    with psycopg.connect(url):
        assert "A client still uses the database" in the_one_sentence(run(tmp_path, url, "restore", "copy.dump"))
    done = run(tmp_path, url, "restore", "copy.dump")
    assert done.returncode == 0, done.stderr
    assert "1 tasks were running" in done.stdout
    assert rows(url, STATE) == [("t", "queued", 4, 1, 1, None)]
    ((after,),) = rows(url, "SELECT value FROM identity")
    assert after != before
    ((owner,),) = rows(url, "SELECT nextval(pg_get_serial_sequence('workers', 'id'))")
    assert owner > 1_000_000
    assert rows(url, "SELECT count(*) FROM of_another") == [(0,)]
    assert run_command("keys", "list", cwd=tmp_path, DATABASE_URL=url).returncode == 0
    (old,) = (tmp_path / "instance").glob("before-restore-*.dump")
    assert run(tmp_path, url, "restore", str(old), "--keep-identity").returncode == 0
    assert [state for _, state, *_ in rows(url, STATE)] == ["finished"]
    assert rows(url, "SELECT value FROM identity") == [(before,)]


@pytest.mark.sqlite
def test_a_bad_file_or_a_missing_program_changes_nothing(url: str, tmp_path: Path) -> None:
    rows(url, RUNNING)
    good, bad = tmp_path / "good.dump", tmp_path / "bad.dump"
    assert run(tmp_path, url, "backup", "good.dump").returncode == 0
    for content, sentence in (
        (b"", "pg_restore has failed"),
        (b"a text", "pg_restore has failed"),
        (good.read_bytes()[:-3000], "has failed"),
    ):
        bad.write_bytes(content)
        assert sentence in the_one_sentence(run(tmp_path, url, "restore", "bad.dump"))
    rows(url, "CREATE VIEW needed AS SELECT token FROM tasks")  # nothing of others is removed
    assert "psql has failed" in the_one_sentence(run(tmp_path, url, "restore", "good.dump"))
    assert rows(url, STATE) == [("t", "running", 3, 1, 1, None)]
    rows(url, "DROP VIEW needed")
    rows(url, "UPDATE alembic_version SET version_num = '9999'")
    assert run(tmp_path, url, "backup", "newer.dump").returncode == 0
    assert "is at revision 9999" in the_one_sentence(run(tmp_path, url, "restore", "newer.dump"))
    secret = url.replace("postgres@", "postgres:hunter2@")
    for words in (["backup", "x.dump"], ["restore", "good.dump"]):
        alone = {"PATH": "/nowhere", "QUEUE_TOOL_DATABASE_URL": secret}
        missing = interpreter().run(["-m", "queue_tool", "db", *words], cwd=tmp_path, env=alone, timeout=LIMIT)
        sentence = the_one_sentence(missing)
        assert "is not here" in sentence
        assert "hunter2" not in sentence
    tables = {name for (name,) in rows(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert tables == {*metadata.tables, "alembic_version"}
