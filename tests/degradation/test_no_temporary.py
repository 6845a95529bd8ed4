"""A machine without a temporary directory, as a container with a read-only file system: the data directory must do."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import PROGRAM, System, http, run_command

pytestmark = [pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's"), pytest.mark.sqlite]

SCRIPT = """
mount -t tmpfs none /mnt && cp ./*.py /mnt
for place in /tmp /var/tmp /usr/tmp /dev/shm .; do
  test ! -d "$place" || { mount --bind "$place" "$place" && mount -o remount,ro,bind "$place"; }
done
cd . && cd "$PWD" && exec "$@"
"""
"""Only /mnt can be written in the namespace."""

INSIDE = [
    "unshare",
    "--mount",
    *([] if os.getuid() == 0 else ["--map-root-user"]),
    "sh",
    "-euc",
    SCRIPT,
    "sh",
    *PROGRAM,
]

TASKS = """
import tempfile
from queue_tool import task

@task("apart", isolated=True)
def apart(data):
    with tempfile.NamedTemporaryFile() as file:
        return file.name

@task("together")
def together(data):
    return apart(data)
"""


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    (tmp_path / "temporary_tasks.py").write_text(TASKS)
    made = System(tmp_path, settings={"DATA_DIR": "/mnt/data", "TASKS": "temporary_tasks"}, program=INSIDE)
    yield made
    made.kill_all()


def test_temporary_files_and_sockets_are_in_the_data_directory(system: System) -> None:
    system.start()
    for kind in ("apart", "together"):
        token = http("POST", system.url("/tasks"), {"task_type": kind, "data": None}).json["token"]
        assert system.await_status(token, "finished")["result"].startswith("/mnt/data/tmp/")
    assert "child died" not in system.log
    assert system.stop() == 0


@pytest.mark.parametrize("words", [["up"], ["redis-url"]])
def test_a_path_that_is_too_long_is_refused_in_one_sentence(system: System, words: list[str]) -> None:
    done = run_command(*words, cwd=system.directory, program=INSIDE, DATA_DIR="/mnt/" + "x" * 120)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "is too long for sockets, and this system has no temporary directory that can be written" in line
