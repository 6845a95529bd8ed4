"""`queue-tool init`: the project that it writes starts at once, does its three kinds of work, and passes its tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from queue_tool import Client
from queue_tool.cli.init import FILES
from tests.support import LIMIT, System, clean_environment, run_command
from tests.warm import interpreter

pytestmark = pytest.mark.sqlite


def test_a_new_project_starts_works_and_passes_its_tests(tmp_path: Path) -> None:
    done = run_command("init", "shop", cwd=tmp_path)
    folder = tmp_path / "shop"
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "shop is ready. Next:")
    assert {path.name for path in folder.iterdir()} == {*FILES}
    assert (folder / ".env").stat().st_mode & 0o077 == 0
    assert (folder / "README.md").read_text().startswith("# shop\n")
    environment = clean_environment() | {"PYTEST_DEBUG_TEMPROOT": str(tmp_path)}  # its files stay out of this session's
    tested = interpreter().run(
        ["-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd=folder, env=environment, timeout=LIMIT
    )
    assert (tested.returncode, "\n4 passed" in tested.stdout) == (0, True), tested.stdout
    system = System(folder)
    try:
        system.start()
        assert results(system, "count_words", ["one small step", 42]) == [{"words": 3}, None]
        assert results(system, "count_primes", [10, 1000]) == [4, 168]
        (reached,) = results(system, "reach", [{"host": "127.0.0.1", "port": system.port}])
        assert reached["seconds"] < LIMIT
        assert system.stop() == 0
        before = files(folder)
        looked = run_command("doctor", cwd=folder)
        assert looked.returncode in (1, 2)  # the machine may have little room
        assert "yours are count_primes, count_words, reach." in looked.stdout
        assert "No process runs tasks: start the system with `queue-tool up`." in looked.stdout
        assert "The embedded Valkey does not run; it starts with the system." in looked.stdout
        assert files(folder) == before
    finally:
        system.kill_all()


def files(folder: Path) -> dict[str, int]:
    """Return the size of each file, except those of the database: SQLite tidies up when its last reader closes it."""
    return {path.name: path.stat().st_size for path in folder.rglob("*") if not path.name.startswith("queue_tool.db")}


def results(system: System, task_type: str, data: list[Any]) -> list[Any]:
    """Send a batch, wait for its end, and return the result of each element."""
    with Client(system.url("")) as client:
        return [each.result for each in client.submit(data, task_type=task_type).wait(LIMIT).results()]


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MINE=1\n")
    done = run_command("init", ".", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "queue-tool: .env exists and was not overwritten: choose another directory.\n"
    assert [path.name for path in tmp_path.iterdir()] == [".env"]
    (tmp_path / "file").write_text("")
    done = run_command("init", "file", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "queue-tool: file cannot be written: File exists.\n")


def test_the_compose_file_runs_the_system_with_the_module_of_the_project(tmp_path: Path) -> None:
    run_command("init", ".", cwd=tmp_path)
    (service,) = yaml.safe_load((tmp_path / "compose.yaml").read_text())["services"].values()
    assert service["command"] == ["queue-tool", "up"]
    assert "./my_tasks.py:/app/my_tasks.py:ro" in service["volumes"]
    assert service["environment"]["QUEUE_TOOL_DATA_DIR"].startswith("/data/")
