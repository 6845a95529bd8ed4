"""A test session that is killed, as pytest-timeout kills a process of it, leaves no process and no server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import postgres
from tests.support import eventually

SESSION = """
import subprocess, sys
from pathlib import Path
from tests import postgres
from tests.support import die_with_parent
from tests.warm import interpreter

here = Path(sys.argv[1])
with postgres.folder() as folder, postgres.cluster(Path(folder), postgres.programs()) as cluster:
    sleeper = "import time; time.sleep(3600)"
    with (here / "log").open("wb") as log:
        fork = interpreter().start(["-c", sleeper], cwd=here, env={}, stdout=log, stderr=log, own_session=True)
    child = subprocess.Popen([sys.executable, "-S", "-c", sleeper], preexec_fn=die_with_parent)
    server = (cluster.folder / "data" / "postmaster.pid").read_text().split()[0]
    print(folder, server, fork.pid, child.pid, flush=True)
    sys.stdin.read()
"""


@pytest.mark.sqlite
@pytest.mark.skipif(postgres.programs() is None, reason="no PostgreSQL on this machine")
def test_a_session_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    session = subprocess.Popen(
        [sys.executable, "-c", SESSION, tmp_path],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert session.stdout is not None
    folder, *pids = session.stdout.readline().decode().split()
    assert len(pids) == 3
    assert all(Path(f"/proc/{pid}").exists() for pid in pids)
    os.kill(session.pid, signal.SIGKILL)
    session.communicate()
    eventually(lambda: not any(runs(pid) for pid in pids) and not Path(folder).exists())


def runs(pid: str) -> bool:
    """Return whether a process exists and is no zombie: nobody may reap it here."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
