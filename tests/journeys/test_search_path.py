"""Where modules are looked for: the current directory comes last, so that no file there runs unless it is named."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import LIMIT, System, clean_environment, http

pytestmark = pytest.mark.sqlite  # the database plays no part here, so once is enough

SCRIPT = Path(sys.executable).with_name("queue-tool")

VENDORS = {"alembic", "click", "dotenv", "flask", "granian", "jsonschema", "orjson", "redis", "rq", "sqlalchemy"}

POISON = """
import sys
with open({diary!r}, "a") as diary:
    print(__name__, sys.orig_argv, sys.path, file=diary)
"""

OWN = """
import os
import sys

from queue_tool import task
import helping

def look(data):
    return [sys.flags.safe_path, "PYTHONSAFEPATH" in os.environ, sys.path[-1], helping.WORD]

task("plain")(look)
task("apart", isolated=True)(look)
"""


@pytest.fixture
def poisoned(stopped_system: System) -> System:
    """A system in a directory that has a file for each module of the standard library and for those of others."""
    directory = stopped_system.directory
    for name in {name for name in sys.stdlib_module_names if not name.startswith("_")} | VENDORS:
        (directory / f"{name}.py").write_text(POISON.format(diary=str(directory / "diary")))
    (directory / "own.py").write_text(OWN)
    (directory / "helping.py").write_text("WORD = 'found'")
    stopped_system.settings["TASKS"] = "own"
    stopped_system.program = (SCRIPT,)
    return stopped_system


def result_of(system: System, task_type: str) -> list[object]:
    token = http("POST", system.url("/tasks"), {"task_type": task_type, "data": None}).json["token"]
    result: list[object] = system.await_status(token, "finished")["result"]
    return result


def require_found(system: System) -> None:
    """Require that both lanes find the user's modules, and that Pythons which a task starts inherit nothing.

    The worker has no -P: it is a fork of `queue-tool up`, or `queue-tool worker`. Its fork server is safe.
    """
    for task_type in ("plain", "apart"):
        assert result_of(system, task_type) == [task_type == "apart", False, str(system.directory), "found"]


def test_no_file_of_the_current_directory_runs_unless_it_is_named(poisoned: System) -> None:
    system, here = poisoned, str(poisoned.directory)
    system.start()
    require_found(system)
    os.kill(system.child("worker-1"), signal.SIGSTOP)
    alone = subprocess.Popen([SCRIPT, "worker"], cwd=here, env=clean_environment(**system.settings))
    try:
        require_found(system)
        alone.terminate()
        assert alone.wait(LIMIT) == 0
    finally:
        alone.kill()
        os.kill(system.child("worker-1"), signal.SIGCONT)
    assert system.stop() == 0
    diary = system.directory / "diary"
    assert not diary.exists(), diary.read_text()
