"""`flask --app queue_tool run`: one command that is a whole system."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import System, clean_environment, eventually, free_port, http


class FlaskRun(System):
    """The system as Flask starts it."""

    def start(self, *options: str) -> None:
        """Start it and wait until it answers."""
        flask = Path(sys.executable).with_name("flask")
        with (self.directory / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                [flask, "--app", "queue_tool", "run", "--port", str(self.port), *options],
                cwd=self.directory,
                env=clean_environment(**self.said),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        eventually(lambda: http("GET", self.url("/health/live")).status == 200)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[FlaskRun]:
    made = FlaskRun(tmp_path)
    yield made
    made.kill_all()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("options", [(), ("--debug",)])
def test_it_serves_and_works_and_leaves_nothing(
    system: FlaskRun, options: tuple[str, ...], how: signal.Signals
) -> None:
    system.start(*options)
    token = system.post([{"item": "a", "valor": 0}]).json["processing_items"][0]["hash"]
    system.await_status(token, "finished")
    system.up.send_signal(how)
    system.up.wait(30)
    eventually(lambda: not system.pids(), within=15)


def test_with_a_redis_of_the_users_own_it_only_serves_and_says_so(system: FlaskRun) -> None:
    system.said["REDIS_URL"] = f"redis://127.0.0.1:{free_port()}"
    system.said["DATABASE_URL"] = f"sqlite:///{system.directory}/tasks.db"
    upgrade = subprocess.run(
        [sys.executable, "-m", "queue_tool", "db", "upgrade"],
        cwd=system.directory,
        env=clean_environment(**system.said),
        check=False,
    )
    assert upgrade.returncode == 0
    system.start()
    assert "this only serves" in system.log
    assert len(system.pids()) == 1


@pytest.mark.parametrize("command", [["routes"], ["shell"]])
def test_other_commands_of_flask_start_nothing(system: FlaskRun, command: list[str]) -> None:
    flask = Path(sys.executable).with_name("flask")
    ended = subprocess.run(
        [flask, "--app", "queue_tool", *command],
        cwd=system.directory,
        env=clean_environment(),
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert not (system.directory / "instance" / "valkey").exists()
    assert not system.pids()


def test_a_bad_setting_stops_it_with_one_sentence(system: FlaskRun) -> None:
    flask = Path(sys.executable).with_name("flask")
    ended = subprocess.run(
        [flask, "--app", "queue_tool", "run", "--port", str(system.port)],
        cwd=system.directory,
        env=clean_environment(WORKERS="many"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    assert (
        ended.stderr.strip()
        == "Error: QUEUE_TOOL_WORKERS must be a whole number of at least 0 and at most 1000, not 'many'."
    )
