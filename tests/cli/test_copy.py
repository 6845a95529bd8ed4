"""The output of `queue-tool db copy`, in real processes, except for errors that occur before it opens a database."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from queue_tool.cli import main
from queue_tool.errors import DriverMissing
from queue_tool.model.access import ApiKey, Role
from queue_tool.store import Store
from queue_tool.store.engine.database import Database
from queue_tool.store.tables import metadata
from tests.cli.test_cli import the_one_sentence
from tests.postgres import Cluster
from tests.support import System, run_command

NOWHERE = "postgresql://me:hunter2@127.0.0.1:1/x"


@pytest.fixture
def source(tmp_path: Path, migrated_database: Path) -> Path:
    """The database in a data directory, with one row."""
    (tmp_path / "instance").mkdir(mode=0o700)
    path = tmp_path / "instance" / "queue_tool.db"
    shutil.copyfile(migrated_database, path)
    database = Database(f"sqlite:///{path}")
    Store(database).keys.add(ApiKey(id="k", name="prin\0ter", role=Role.READ, created_at=datetime.now(UTC)), "d")
    database.close()
    return path


@pytest.fixture
def target(cluster: Cluster) -> Iterator[str]:
    """The URL of a PostgreSQL database without tables."""
    name = cluster.new_database()
    yield cluster.url(name).replace("postgres@", "postgres:hunter2@")
    cluster.drop(name)


def refused(*words: str) -> str:
    """Run the command in this process, require that it fails, and return its sentence."""
    done = CliRunner().invoke(main, ["db", "copy", *words])
    assert (done.exit_code, done.stdout) == (1, "")
    return done.stderr.removesuffix("\n")


def test_the_copied_tables_are_listed_and_no_password_is_shown(tmp_path: Path, source: Path, target: str) -> None:
    done = run_command("db", "copy", target, cwd=tmp_path, DATABASE_URL=target)
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.partition("\n\n")[0].splitlines()
    assert head.split() == ["table", "rows", "ok"]
    assert {line.split()[0] for line in lines} == set(metadata.tables)
    assert re.search(r"^api_keys +1  yes$", done.stdout, re.MULTILINE)
    assert f"{source} was copied to postgresql://***@/" in done.stdout
    assert done.stderr == (
        "In the table api_keys, 1 row contained U+0000, which PostgreSQL cannot store. The copy has \\x00 instead.\n"
    )
    assert "hunter2" not in done.stdout + done.stderr


def test_a_running_system_is_not_copied(lasting_system: System, tmp_path: Path) -> None:
    database = f"sqlite:///{lasting_system.directory}/instance/queue_tool.db"
    sentence = f"in use by process {lasting_system.up.pid}"
    assert sentence in the_one_sentence(run_command("db", "copy", NOWHERE, cwd=lasting_system.directory))
    assert sentence in the_one_sentence(run_command("db", "copy", NOWHERE, "--source", database, cwd=tmp_path))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["postgresql://me:hunter@2@h/x"], "TARGET must be a URL with a numeric port and a percent-encoded password"),
        (["--source", "tasks.db", NOWHERE], "--source must be `sqlite:///` and the path"),
    ],
)
def test_an_invalid_source_or_target_is_refused(words: list[str], sentence: str) -> None:
    refusal = refused(*words)
    assert refusal.startswith(f"queue-tool: {sentence}")
    assert "hunter" not in refusal


def test_the_error_for_a_missing_driver_names_it(tmp_path: Path) -> None:
    code = "import sys; sys.modules['psycopg'] = None; from queue_tool.cli import main; main()"
    without = (sys.executable, "-c", code)
    sentence = the_one_sentence(run_command("db", "copy", NOWHERE, cwd=tmp_path, program=without))
    assert sentence == f"queue-tool: {DriverMissing.default_sentence()}"


def test_the_error_for_an_unreadable_owner_of_the_data_directory_names_the_directory(source: Path) -> None:
    (source.parent / "owner.lock").mkdir()
    sentence = refused(NOWHERE, "--source", f"sqlite:///{source}")
    assert sentence == f"queue-tool: The data directory {source.parent} cannot be used: Is a directory."
