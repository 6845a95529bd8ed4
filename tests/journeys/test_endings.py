"""Every way of ending, of the whole and of each part, for every way of starting: nothing stays, nothing is lost.

The tests of one way of starting share a system: the next start after an ending is the system of the next test.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM
from typing import Any

import pytest

from queue_tool.host import valkey
from tests.damage import cut_last_line, spoil
from tests.support import FlaskRun, System, eventually, http, items, redis_of, tokens

STARTS: dict[str, Callable[[Path], System]] = {
    "up": System,
    "flask run": FlaskRun,
    "flask run --debug": lambda directory: FlaskRun(directory, options=("--debug",)),
}

PARTS: dict[str, Callable[[System], list[int]]] = {
    "it": lambda system: [system.up.pid],
    "its group": lambda system: [-system.up.pid],  # as Ctrl-C and a terminal that is closed do
    "everyone": lambda system: list(system.pids()),
    "the reloader's child": lambda system: [
        pid for pid in system.children(system.up.pid) if "--debug" in system.pids()[pid].split("\0")
    ],
    "the rest": lambda system: [pid for pid, words in system.pids().items() if words.endswith("\0up\0")],
    "the worker": lambda system: [system.child("worker-1")],
    "the web server": lambda system: [system.child("web")],
    "the guardian": lambda system: [system.child("valkey")],
    "Valkey": lambda system: [system.valkey()],
}


@pytest.fixture(scope="module")
def made() -> Iterator[dict[str, System]]:
    """The system of each way of starting that there is."""
    systems: dict[str, System] = {}
    yield systems
    for system in systems.values():
        system.kill_all()


@pytest.fixture
def system(start: str, made: dict[str, System], tmp_path_factory: pytest.TempPathFactory) -> System:
    """The one of this test's way of starting: running, whatever became of it in the test before."""
    for name in made.keys() - {start}:
        made[name].kill_all()
    if start not in made:
        made[start] = STARTS[start](tmp_path_factory.mktemp("system"))
        made[start].settings |= {"DRAIN": "1", "LOG_LEVEL": "debug"}  # then each end of a task is a line
    system = made[start]
    if system.process is None or system.process.poll() is not None:
        system.kill_all()
        system.start()
    return system


@dataclass(frozen=True)
class Sent:
    """Tasks in each place where an ending can find one."""

    batches: list[str]
    ended: dict[str, Any]  # all that is said of it
    running: str
    waiting: str

    def require_not_lost(self, system: System) -> None:
        """Wait for the end of each, which comes once; the one that was there already is still the same."""
        for token in (self.running, self.waiting):
            assert system.await_status(token, "finished")["attempt"] == 1
        assert system.check(self.ended["token"]) == self.ended
        for batch in self.batches:
            found = http("GET", system.url(batch)).json
            assert (found["message"], found["counts"]["finished"]) == ("Finalizado", found["accepted"])
        lines = [line for line in system.log.splitlines() if " task ended " in line]
        for token in (self.ended["token"], self.running, self.waiting):
            assert len([line for line in lines if token in line]) <= 1  # a killed worker may not have come to say it


def send(system: System) -> Sent:
    """Send tasks, and return when one has ended, one runs and one waits."""
    first = system.post(items(1))
    (ended,) = tokens(first)
    answered = system.await_status(ended, "finished")
    second = system.post([*items(1, valor=1), *items(1)])
    running, waiting = tokens(second)
    system.await_status(running, "running")
    return Sent([f"/batches/{answer.json['batch']}" for answer in (first, second)], answered, running, waiting)


def strike(system: System, part: str, how: signal.Signals) -> list[int]:
    """Send a signal to a part; return the pids to which it went."""
    struck = PARTS[part](system)
    assert struck, system.pids()
    for pid in struck:
        with contextlib.suppress(ProcessLookupError):  # it may have died of the one before
            os.kill(pid, how)
    return struck


@pytest.mark.parametrize(
    ("start", "part", "how", "code"),
    [
        ("up", "it", SIGTERM, 0),
        ("up", "its group", SIGINT, 0),
        ("up", "its group", SIGHUP, 0),
        ("up", "it", SIGKILL, -SIGKILL),
        ("up", "everyone", SIGKILL, -SIGKILL),
        ("flask run", "it", SIGTERM, -SIGTERM),
        ("flask run", "its group", SIGINT, 0),
        ("flask run", "it", SIGKILL, -SIGKILL),
        ("flask run --debug", "it", SIGTERM, 0),
        ("flask run --debug", "its group", SIGINT, 0),
        ("flask run --debug", "its group", SIGHUP, -SIGHUP),
        ("flask run --debug", "it", SIGKILL, -SIGKILL),
        ("flask run --debug", "the reloader's child", SIGKILL, 256 - SIGKILL),
    ],
)
def test_an_end_leaves_no_process_and_the_next_start_has_lost_nothing(
    system: System, part: str, how: signal.Signals, code: int
) -> None:
    sent = send(system)
    strike(system, part, how)
    eventually(lambda: not system.pids(), within=15)
    assert system.up.wait(1) == code
    system.start()
    sent.require_not_lost(system)


@pytest.mark.parametrize(
    ("start", "part"),
    [
        ("up", "the worker"),
        ("up", "the web server"),
        ("up", "the guardian"),
        ("up", "Valkey"),
        ("flask run", "the worker"),
        ("flask run", "the guardian"),
        ("flask run", "Valkey"),
        ("flask run", "the rest"),
        ("flask run --debug", "the rest"),
    ],
)
def test_a_part_that_is_killed_is_replaced_and_nothing_is_lost(system: System, part: str) -> None:
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
    else:  # a Valkey never outlives its guardian; what it held of the run is forgotten by RQ's own maintenance
        assert server not in system.pids()


# -- what is left of the embedded Valkey's files ------------------------------------------------------------


@pytest.mark.parametrize("start", ["up"])
@pytest.mark.parametrize(
    ("damage", "files", "put_aside"),
    [
        (cut_last_line, "*.incr.aof", False),
        (spoil, "*.incr.aof", True),
    ],
)
def test_damaged_files_of_valkey_cost_nothing(
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


# -- what is left outside of the data directory -------------------------------------------------------------


@pytest.fixture
def deep_system(tmp_path: Path) -> Iterator[System]:
    """A system whose data directory has a path that is too long for a socket."""
    deep = tmp_path / ("a long name with spaces " * 5).strip() / ("and another one " * 6).strip()
    deep.mkdir(parents=True)
    made = System(deep)
    yield made
    made.kill_all()


def test_a_socket_outside_of_a_deep_data_directory_goes_with_its_server(deep_system: System) -> None:
    system = deep_system
    place = valkey.socket_path(system.directory / "instance").parent
    assert system.directory not in place.parents
    for how in (SIGTERM, SIGKILL):  # the second start makes it again
        system.start()
        (token,) = tokens(system.post(items(1)))
        system.await_status(token, "finished")
        assert place.stat().st_mode & 0o777 == 0o700
        strike(system, "it", how)
        eventually(lambda: not system.pids(), within=15)
        system.up.wait(1)
        assert not place.exists()
    assert {path.name for path in system.directory.iterdir()} == {"instance", "up.log"}
