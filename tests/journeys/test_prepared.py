"""The forks that become the first workers and the first web process, seen from a small program that makes them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support import LIMIT, clean_environment
from tests.warm import interpreter

pytestmark = pytest.mark.sqlite  # no database takes part

PROGRAM = """
import json, os, signal, sys
from pathlib import Path
from queue_tool.supervisor import prepared

def become(command):
    inherited = int(os.environ["INHERITED"])
    os.write(inherited, json.dumps({
        "command": command,
        "title": Path("/proc/self/cmdline").read_text().strip("\\0"),
        "files": len(os.listdir("/proc/self/fd")) - 1,  # without the one of the listing
        "input": os.read(0, 1).decode(),
        "is_leader": os.getsid(0) == os.getpid(),
        "port": os.environ["QUEUE_TOOL_PORT"],
        "searches_here": "" in sys.path,
        "main": sys.modules["__main__"].__name__,
        "arguments": sys.argv[1:],
    }).encode())
    os._exit(7)

reading, writing = None, None
with prepared(["worker", "worker", "web"], {"QUEUE_TOOL_PORT": "1"}, become) as processes:
    reading, writing = os.pipe()
    found = {"none": processes.start("sweep", {"INHERITED": writing}) is None}
    PART
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    found["left"] = 0
print(json.dumps(found))
"""

START = """
    process = processes.start("web", {"INHERITED": writing})
    found["code"] = process.wait()
    found["fork"] = json.loads(os.read(reading, 4096))
    found["second"] = processes.start("web", {"INHERITED": writing}) is None
"""

KILLED = """
    for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        os.kill(int(pid), signal.SIGKILL)
        os.waitid(os.P_PID, int(pid), os.WEXITED | os.WNOWAIT)
    found["started"] = [processes.start(name, {"INHERITED": writing}) for name in ("worker", "web")]
"""


def outcome(part: str, directory: Path) -> Any:
    """Run the program with this part, and return what it found."""
    code = PROGRAM.replace("    PART\n", part)
    environment = clean_environment() | {"PYTHONSAFEPATH": ""}
    done = interpreter().run(["-c", code], cwd=directory, env=environment, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_started_fork_is_like_a_new_process(tmp_path: Path) -> None:
    found = outcome(START, tmp_path)
    assert found == {
        "none": True,
        "code": 7,
        "fork": {
            "command": "web",
            "title": "queue-tool web",
            "files": 4,
            "input": "",
            "is_leader": True,
            "port": "1",
            "searches_here": False,
            "main": "queue_tool.__main__",
            "arguments": ["web"],
        },
        "second": True,
        "left": 0,
    }


def test_a_fork_that_was_killed_before_its_start_is_reaped_and_not_used(tmp_path: Path) -> None:
    assert outcome(KILLED, tmp_path) == {"none": True, "started": [None, None], "left": 0}


def test_forks_that_were_not_started_end_with_the_block(tmp_path: Path) -> None:
    assert outcome("", tmp_path) == {"none": True, "left": 0}


def test_a_fork_ends_when_its_supervisor_was_killed(tmp_path: Path) -> None:
    part = "\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    code = PROGRAM.replace("    PART\n", part)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as output, os.fdopen(writing, "wb") as errors:
        program = interpreter().start(["-c", code], cwd=tmp_path, env=clean_environment(), stdout=errors, stderr=errors)
        errors.close()
        assert program.wait(LIMIT) == -9
        assert output.read() == b""  # the end of file comes when the last fork has ended
