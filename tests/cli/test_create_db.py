"""`flask --app queue_tool create-db` and `queue-tool db upgrade`: one function under two names."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from queue_tool.model import settings as words_of_settings
from queue_tool.model.settings import without_secrets
from queue_tool.store import migrations
from queue_tool.store.engine.database import Database
from tests.support import System, clean_environment, http, run_command
from tests.warm import interpreter

HEAD = migrations.head()
OLDER = f"{int(HEAD) - 1:04}"


def create_db(directory: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `flask --app queue_tool create-db`, or another command of Flask, as a fork of the warm interpreter."""
    command = ["-m", "flask", "--app", "queue_tool", *(words or ("create-db",))]
    return interpreter().run(command, cwd=directory, env=clean_environment(**settings), timeout=60)


@pytest.mark.parametrize("storage", [pytest.param("sqlite", marks=pytest.mark.sqlite), "postgres"])
def test_a_new_a_current_and_an_older_database_become_ready(
    request: pytest.FixtureRequest, tmp_path: Path, storage: str
) -> None:
    settings = {}
    if storage == "postgres":
        cluster = request.getfixturevalue("cluster")
        url = cluster.url(cluster.new_database()).replace("postgres@", "postgres:hunter2@")
        settings = {"DATABASE_URL": url, "REDIS_URL": "redis://127.0.0.1:1"}  # with it, `create_app` migrates nothing
    url = words_of_settings.database_url(settings.get("DATABASE_URL", f"sqlite:///{tmp_path}/instance/queue_tool.db"))
    expected = f"The database {without_secrets(url)} is ready, at revision {HEAD}.\n"
    assert "hunter2" not in expected
    assert "create-db" in create_db(tmp_path, "--help", **settings).stdout
    assert list(tmp_path.iterdir()) == []
    made = [create_db(tmp_path, **settings) for _ in range(2)]
    database = Database(url)
    migrations.downgrade(database, OLDER)
    assert migrations.current(database) == OLDER
    made.append(create_db(tmp_path, **settings))
    assert migrations.current(database) == HEAD
    database.close()
    made.append(run_command("db", "upgrade", cwd=tmp_path, **settings))
    assert [(done.returncode, done.stdout, done.stderr) for done in made] == [(0, expected, "")] * 4
    assert not (tmp_path / "instance" / "valkey").exists()
    assert not System(tmp_path).pids()


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"WORKERS": "many"}, "QUEUE_TOOL_WORKERS must be a whole number"),
        ({"DATABASE_URL": "mysql://me:hunter2@127.0.0.1/x"}, "QUEUE_TOOL_DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://me:hunter2@127.0.0.1:1/x"}, "Connection refused."),
        ({"DATA_DIR": "/dev/null"}, "The data directory /dev/null"),
    ],
)
def test_a_database_that_cannot_be_made_is_one_sentence(tmp_path: Path, settings: dict[str, str], part: str) -> None:
    done = create_db(tmp_path, **settings)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ")
    assert part in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "hunter2" not in done.stderr


@pytest.mark.sqlite
def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    create_db(tmp_path)
    database = Database(f"sqlite:///{tmp_path}/instance/queue_tool.db")
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    done = create_db(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "newer than this version of Queue Tool" in done.stderr
    assert migrations.current(database) == "9999"
    database.close()


def test_beside_a_running_system_it_changes_nothing(lasting_system: System) -> None:
    before = lasting_system.pids()
    done = create_db(lasting_system.directory, **lasting_system.settings)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f" is ready, at revision {HEAD}.\n")
    assert lasting_system.pids() == before
    assert http("GET", lasting_system.url("/health/ready")).status == 200


@pytest.mark.sqlite
def test_a_program_of_the_user_keeps_its_own_commands(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(OWN)
    command = ["-m", "flask", "--app", "shop.py", "count"]
    done = interpreter().run(command, cwd=tmp_path, env=clean_environment(), timeout=60)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr


OWN = """
import queue_tool
from queue_tool.web.http.answers import runtime

app = queue_tool.create_app()


@app.cli.command()
def count():
    print(runtime().list(queue_tool.Filter(), limit=1).total)
"""
