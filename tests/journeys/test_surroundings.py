"""What a shell, a terminal and a service manager do to `queue-tool up`: closed descriptors, SIGHUP, SIGTERM to all."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import termios
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.past_the_store import rows
from tests.support import LIMIT, PROGRAM, System, clean_environment, die_with_parent, eventually, http, items, tokens

pytestmark = pytest.mark.sqlite  # the database plays no part here, so once is enough

PLAIN, WITHOUT_HANGUP = 'exec "$@"', 'trap "" HUP; exec "$@" 0<&- 1>&- 2>&-'


class Terminal:
    """A pseudo-terminal with a shell that becomes `queue-tool up`."""

    def __init__(self, system: System, script: str) -> None:
        """Start the system in a session of its own, whose terminal this is."""
        self._ours, theirs = pty.openpty()
        words = ["sh", "-c", script, "sh", *PROGRAM, "up", "--host", "localhost", "--port", str(system.port)]
        self.process = subprocess.Popen(
            words,
            cwd=system.directory,
            env=clean_environment(**system.settings),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(theirs)
        system.process = self.process

    def close(self) -> None:
        """Close the window: the kernel sends SIGHUP to the processes of the session."""
        os.close(self._ours)


def _take_terminal() -> None:
    die_with_parent()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def system(stopped_system: System) -> Iterator[System]:
    yield stopped_system
    stopped_system.kill_all()


def await_live(system: System) -> None:
    eventually(lambda: http("GET", system.url("/health/live")).status == 200)


def test_it_outlives_its_terminal_if_hangups_are_ignored_and_needs_no_standard_descriptor(system: System) -> None:
    terminal = Terminal(system, WITHOUT_HANGUP)
    await_live(system)
    terminal.close()
    (sent,) = tokens(system.post(items(1)))
    system.await_status(sent, "finished")
    terminal.process.terminate()
    assert terminal.process.wait(LIMIT) == 0


def test_it_ends_in_order_with_its_terminal(system: System) -> None:
    terminal = Terminal(system, PLAIN)
    await_live(system)
    terminal.process.send_signal(signal.SIGSTOP)  # afterwards any thread may get the next signal
    terminal.close()
    terminal.process.send_signal(signal.SIGCONT)
    assert terminal.process.wait(LIMIT) == 0
    assert system.pids() == {}


GATED = """
import asyncio
import os
import time
from queue_tool import task

@task("looping")
async def looping(gate):
    while not os.path.exists(gate):
        await asyncio.sleep(0.01)

@task("threaded")
def threaded(gate):
    while not os.path.exists(gate):
        time.sleep(0.01)

@task("apart", isolated=True)
def apart(gate):
    while not os.path.exists(gate):
        time.sleep(0.01)
"""


def test_sigterm_to_all_processes_at_once_drains(system: System) -> None:
    (system.directory / "gated.py").write_text(GATED)
    gate = system.directory / "gate"
    system.settings |= {"TASKS": "gated", "WORKERS": "2", "DRAIN": str(LIMIT)}
    system.start()
    kinds = ["looping", "threaded", "apart"] * 2
    sent = http("POST", system.url("/tasks"), [{"task_type": kind, "data": str(gate)} for kind in kinds])
    eventually(lambda: http("GET", system.url(sent.headers["location"])).json["counts"]["running"] == len(kinds))
    for pid in system.pids():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    eventually(lambda: "stopping" in system.log)
    gate.touch()
    assert system.up.wait(LIMIT) == 0
    assert system.pids() == {}
    assert "Redis" not in system.log
    assert "Traceback" not in system.log
    database = f"sqlite:///{system.directory}/instance/queue_tool.db"
    found = rows(database, "SELECT task_type, state, losses FROM tasks ORDER BY id")
    assert [row for row in found if row[0] != "apart"] == [(kind, "finished", 0) for kind in kinds if kind != "apart"]
    assert {row[1] for row in found if row[0] == "apart"} <= {"queued", "finished"}  # the signal ended their processes
    assert {row[2] for row in found} == {0}
