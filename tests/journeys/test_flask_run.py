"""`flask --app queue_tool run`: one command that starts a whole system."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from queue_tool.model.access import EVERYONE_HERE
from tests.conftest import prepared_database
from tests.support import (
    LIMIT,
    FlaskRun,
    System,
    clean_environment,
    eventually,
    free_port,
    items,
    run_command,
    sent_from_python,
    tokens,
)
from tests.warm import interpreter

pytestmark = pytest.mark.sqlite  # the database plays no part here, so once is enough


@pytest.fixture
def system(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FlaskRun]:
    made = FlaskRun(tmp_path, settings=prepared_database(request, tmp_path))
    yield made
    made.kill_all()


MYTASKS = "from queue_tool import task\n@task('plain')\ndef plain(data): return {returned!r}\n"


def result_of_plain(system: FlaskRun) -> object:
    """Run a task of the type `plain`; return its result."""
    (token,) = sent_from_python(system, "plain")
    return system.await_status(token, "finished")["result"]


def change(system: FlaskRun, text: str) -> None:
    """Write the module of task types again and again until the reloader detects a change.

    One write is not enough: the reloader may not have read the module before it.
    """
    before = system.log.count("Detected change")

    def look() -> bool:
        (system.directory / "mytasks.py").write_text(text)
        return system.log.count("Detected change") > before

    eventually(look)


def press_ctrl_c_twice(system: FlaskRun) -> None:
    """Require that the first Ctrl-C begins the drain and the second one ends everything, without a traceback.

    A task that runs for hours must be running.
    """
    before = len(system.log)
    os.killpg(system.up.pid, signal.SIGINT)
    eventually(lambda: " stopping" in system.log[before:])
    assert system.up.poll() is None  # the task may go on
    os.killpg(system.up.pid, signal.SIGINT)
    assert system.up.wait(LIMIT) == 0
    eventually(lambda: not system.pids())
    assert "Traceback" not in system.log[before:]
    assert "Exception ignored" not in system.log[before:]


def test_a_change_of_code_reaches_the_workers_and_valkey_stays(system: FlaskRun) -> None:
    (system.directory / "mytasks.py").write_text(MYTASKS.format(returned="old"))
    system.settings |= {"TASKS": "mytasks", "DRAIN": "600"}
    system.options = ("--debug",)
    system.start()
    assert system.log.count(f"warning reason={EVERYONE_HERE!r}") == 1, "also with the reloader, which loads twice"
    assert result_of_plain(system) == "old"
    (long,) = tokens(system.post(items(1, valor=3600)))
    started = system.await_status(long, "running")["started_at"]
    change(system, MYTASKS.format(returned="newer"))
    eventually(lambda: system.log.count("child started child=worker-1") == 2)
    assert result_of_plain(system) == "newer"
    assert system.await_status(long, "running")["started_at"] == started  # the old worker goes on with it
    change(system, "def broken(:\n")
    eventually(lambda: "BadTaskType" in system.log)
    change(system, MYTASKS.format(returned="the newest"))
    eventually(lambda: system.log.count("child started child=worker-1") == 3)
    assert result_of_plain(system) == "the newest"
    assert system.log.count("child started child=valkey") == 1
    press_ctrl_c_twice(system)


def test_a_second_start_on_one_data_directory_is_refused_and_names_the_owner(system: FlaskRun) -> None:
    system.settings["DRAIN"] = "600"
    system.start()
    place = system.directory / "instance"
    for second, last_line in (
        (FlaskRun, "Error: The rest of the system did not start: see the lines above."),
        (System, "queue-tool: The data directory {place} is in use by process {owner}."),
    ):
        words = second(system.directory).words
        ended = interpreter().run(words, cwd=system.directory, env=clean_environment(), timeout=LIMIT)
        assert ended.returncode == 1
        owner = (place / "owner.lock").read_text().strip()
        assert f"is in use by process {owner}." in ended.stderr
        assert ended.stderr.splitlines()[-1] == last_line.format(place=place, owner=owner)
    (token,) = tokens(system.post(items(1, valor=3600)))
    system.await_status(token, "running")
    press_ctrl_c_twice(system)


def test_flask_run_ends_when_the_rest_of_the_system_ends(system: FlaskRun) -> None:
    system.start()
    (rest,) = [pid for pid, words in system.pids().items() if words.endswith("\0up\0")]
    os.kill(rest, signal.SIGTERM)
    assert system.up.wait(LIMIT) == -signal.SIGTERM
    eventually(lambda: not system.pids())


def test_with_the_users_own_redis_it_only_serves_and_logs_that(system: FlaskRun) -> None:
    redis, database = f"redis://127.0.0.1:{free_port()}", f"sqlite:///{system.directory}/tasks.db"
    system.settings |= {"REDIS_URL": redis, "DATABASE_URL": database}
    upgrade = run_command("db", "upgrade", cwd=system.directory, REDIS_URL=redis, DATABASE_URL=database)
    assert upgrade.returncode == 0
    system.start()
    assert "only serves HTTP" in system.log
    assert len(system.pids()) == 1


@pytest.mark.parametrize("command", [["routes"], ["shell"]])
def test_other_commands_of_flask_start_nothing(system: FlaskRun, command: list[str]) -> None:
    flask = Path(sys.executable).with_name("flask")
    words: list[str | Path] = [flask, "--app", "queue_tool", *command]
    ended = interpreter().run(words, cwd=system.directory, env=clean_environment(), timeout=LIMIT)
    assert ended.returncode == 0, ended.stderr
    assert not (system.directory / "instance" / "valkey").exists()
    assert not system.pids()


def test_a_bad_setting_stops_the_start_with_one_sentence(system: FlaskRun) -> None:
    environment = clean_environment(WORKERS="many")
    ended = interpreter().run(system.words, cwd=system.directory, env=environment, timeout=LIMIT)
    assert ended.returncode != 0
    assert ended.stderr.strip() == "Error: QUEUE_TOOL_WORKERS must be a whole number from 0 to 1000, not 'many'."
