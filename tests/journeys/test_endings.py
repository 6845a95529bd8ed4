"""Every way to end the system or one part, for the ways to start it: no process stays, and no task is lost.

A way to end is tried once where another way to start it takes the same path: `flask run` has the same parts as `up`,
only as a child, and SIGTERM ends its process as SIGKILL does.

The tests of one way to start share a system: each test continues with the system as the previous one left it.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGTERM
from typing import Any

import pytest

from queue_tool.host import valkey
from tests.conftest import prepared_database
from tests.damage import cut_last_line, spoil
from tests.support import LIMIT, FlaskRun, System, eventually, http, items, redis_of, tokens

pytestmark = pytest.mark.sqlite  # the database plays no part here, so once is enough

STARTS: dict[str, Callable[[Path], System]] = {
    "up": System,
    "flask run": FlaskRun,
    "flask run --debug": lambda directory: FlaskRun(directory, options=("--debug",)),
}

PARTS: dict[str, Callable[[System], list[int]]] = {
    "the main process": lambda system: [system.up.pid],
    "its process group": lambda system: [-system.up.pid],  # as Ctrl-C does
    "the reloader's child": lambda system: [
        pid for pid in system.children(system.up.pid) if "--debug" in system.pids()[pid].split("\0")
    ],
    "the up process": lambda system: [pid for pid, words in system.pids().items() if words.endswith("\0up\0")],
    "the worker": lambda system: [system.child("worker-1")],
    "the web server": lambda system: [system.child("web")],
    "the guardian": lambda system: [system.child("valkey")],
    "Valkey": lambda system: [system.valkey()],
}


@pytest.fixture(scope="module")
def made() -> Iterator[dict[str, System]]:
    """The systems made so far, by the way to start them."""
    systems: dict[str, System] = {}
    yield systems
    for system in systems.values():
        system.kill_all()


@pytest.fixture
def system(
    request: pytest.FixtureRequest, start: str, made: dict[str, System], tmp_path_factory: pytest.TempPathFactory
) -> System:
    """The running system of this test's way to start; it is started again if the previous test ended it."""
    for other in made.keys() - {start}:
        if made[other].reloads:
            made[other].kill_all()
    if start not in made:
        made[start] = STARTS[start](tmp_path_factory.mktemp("system"))
        made[start].settings |= {"DRAIN": "1", "LOG_LEVEL": "debug"}  # at this level, each settled task is a log line
        prepared_database(request, made[start].directory)
    system = made[start]
    if system.process is None or system.process.poll() is not None:
        system.kill_all()
        system.start()
    return system


@dataclass(frozen=True)
class Sent:
    """Three tasks: one has ended, one runs, and one was just sent."""

    batches: list[str]
    ended: dict[str, Any]  # the answer of /check
    running: str
    waiting: str

    def require_not_lost(self, system: System) -> None:
        """Require that each task finishes in its first attempt, once, and that the ended one has not changed."""
        for token in (self.running, self.waiting):
            assert system.await_status(token, "finished")["attempt"] == 1
        assert system.check(self.ended["token"]) == self.ended
        for batch in self.batches:
            found = http("GET", system.url(batch)).json
            assert (found["message"], found["counts"]["finished"]) == ("Finalizado", found["accepted"])
        lines = [line for line in system.log.splitlines() if " task ended " in line]
        for token in (self.ended["token"], self.running, self.waiting):
            assert len([line for line in lines if token in line]) <= 1  # a killed worker may not have logged it


def send(system: System) -> Sent:
    """Send tasks; return when one has ended and one runs."""
    first = system.post(items(1))
    (ended,) = tokens(first)
    answered = system.await_status(ended, "finished")
    second = system.post([*items(1, valor=1), *items(1)])
    running, waiting = tokens(second)
    system.await_status(running, "running")
    return Sent([f"/batches/{answer.json['batch']}" for answer in (first, second)], answered, running, waiting)


def strike(system: System, part: str, how: signal.Signals) -> list[int]:
    """Send a signal to the processes of a part; return their pids."""
    pids = PARTS[part](system)
    assert pids, system.pids()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # an earlier signal may have ended it already
            os.kill(pid, how)
    return pids


@pytest.mark.parametrize(
    ("start", "part", "how", "code"),
    [
        ("up", "the main process", SIGTERM, 0),
        ("up", "its process group", SIGINT, 0),
        ("up", "the main process", SIGKILL, -SIGKILL),
        ("flask run", "its process group", SIGINT, 0),
        ("flask run", "the main process", SIGKILL, -SIGKILL),
        ("flask run --debug", "the main process", SIGKILL, -SIGKILL),
        ("flask run --debug", "the reloader's child", SIGKILL, 256 - SIGKILL),
    ],
)
def test_after_any_end_no_process_is_left_and_the_next_start_loses_nothing(
    system: System, part: str, how: signal.Signals, code: int
) -> None:
    sent = send(system)
    strike(system, part, how)
    eventually(lambda: not system.pids())
    assert system.up.wait(LIMIT) == code
    system.start()
    sent.require_not_lost(system)


@pytest.mark.parametrize(
    ("start", "part"),
    [
        ("up", "the worker"),
        ("up", "the web server"),
        ("up", "the guardian"),
        ("up", "Valkey"),
        ("flask run", "the up process"),
    ],
)
def test_a_killed_part_is_replaced_and_nothing_is_lost(system: System, part: str) -> None:
    sent, server = send(system), system.valkey()
    (killed,) = strike(system, part, SIGKILL)
    eventually(lambda: PARTS[part](system) not in ([], [killed]))
    sent.require_not_lost(system)
    eventually(lambda: send(system)).require_not_lost(system)
    assert killed not in system.pids()
    assert system.up.poll() is None
    if part in ("the worker", "the web server"):
        assert server in system.pids()
        with redis_of(system) as redis:
            eventually(lambda: not redis.keys(f"*{sent.running}*"))
    else:  # a Valkey never outlives its guardian; RQ's own maintenance removes what it held of the run
        assert server not in system.pids()


# -- every process is killed, and files of the embedded Valkey are damaged ----------------------------------


@pytest.mark.parametrize("start", ["up"])
@pytest.mark.parametrize(
    ("damage", "files", "put_aside"),
    [
        (cut_last_line, "*.incr.aof", False),
        (spoil, "*.incr.aof", True),
    ],
)
def test_a_kill_of_every_process_and_damaged_files_of_valkey_lose_no_task(
    system: System, damage: Callable[[Path], None], files: str, put_aside: bool
) -> None:
    folder = system.directory / "instance" / "valkey"
    sent, before = send(system), len(list(folder.glob("appendonlydir.unreadable-*")))
    system.kill_all()
    for path in (folder / "appendonlydir").glob(files):
        damage(path)
    system.start()
    sent.require_not_lost(system)
    assert len(list(folder.glob("appendonlydir.unreadable-*"))) == before + put_aside


# -- files outside the data directory -----------------------------------------------------------------------


@pytest.fixture
def deep_system(tmp_path: Path) -> Iterator[System]:
    """A system whose data directory has too long a path for a socket."""
    deep = tmp_path / ("a long name with spaces " * 5).strip() / ("and another one " * 6).strip()
    deep.mkdir(parents=True)
    made = System(deep)
    yield made
    made.kill_all()


def test_a_socket_outside_a_deep_data_directory_is_removed_with_its_server(deep_system: System) -> None:
    system = deep_system
    place = valkey.socket_path(system.directory / "instance").parent
    assert system.directory not in place.parents
    for how in (SIGTERM, SIGKILL):  # the second start creates it again
        system.start()
        (token,) = tokens(system.post(items(1)))
        system.await_status(token, "finished")
        assert place.stat().st_mode & 0o777 == 0o700
        strike(system, "the main process", how)
        eventually(lambda: not system.pids())
        system.up.wait(LIMIT)
        assert not place.exists()
    assert {path.name for path in system.directory.iterdir()} == {"instance", "up.log"}
