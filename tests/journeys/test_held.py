"""Tasks of every kind run while their worker is killed or the system is stopped: each ends once, and nothing stays."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from queue_tool.model.task_types import declared
from tests.journeys import held
from tests.past_the_store import note, rows
from tests.support import System, eventually, http, tokens

pytestmark = pytest.mark.sqlite  # the database plays no part here, so once is enough

LAST = [f"held.{name}" for name in ("logs_without_end", "in_a_library", "spins", "blocks")]
"""They keep the processors busy, so they are sent when the others run. No coroutine begins after the last one."""

FIRST = sorted(name for name in declared if name.startswith("held.") and name not in LAST)

PARTS = ("\0web\0", "queue-tool web\0", "valkey", "guardian")
"""What the command lines of the processes that run no task contain."""


def tasks_of(system: System) -> dict[int, str]:
    """Return the processes of the system that run tasks, or belong to a task: the command line of each by its pid."""
    others = [pid for pid, words in system.pids().items() if any(part in words for part in PARTS)]
    return {pid: words for pid, words in system.pids().items() if pid not in (system.up.pid, *others)}


def hold(system: System, name: str) -> list[str]:
    """Send a task of each kind, and wait until each of them does what it never ends; return their tokens."""
    folder = system.directory / name
    folder.mkdir()
    sent: dict[str, str] = {}  # the kind of each, by its token
    for kinds in (FIRST, LAST):
        body = [{"task_type": kind, "data": str(folder)} for kind in kinds]
        sent |= zip(tokens(http("POST", system.url("/tasks"), body)), kinds, strict=True)
        eventually(lambda: require_begun(folder, sent))
    return list(sent)


def require_begun(folder: Path, sent: dict[str, str]) -> bool:
    """Require that each of these tasks does what it never ends."""
    begun = {path.name for path in folder.iterdir()}
    assert [kind for token, kind in sent.items() if token not in begun] == []
    return True


def require_ended(system: System, sent: list[str], losses: int) -> None:
    """Require that each of these tasks ends once, when it is called again, and that it has so many losses."""
    for token in sent:
        system.await_status(token, "finished")
    shown: list[Any] = [http("GET", system.url(f"/tasks/{token}")).json for token in sent]
    wanted = dict.fromkeys(sent, ("done", 1, losses))
    assert {each["token"]: (each["result"], each["attempt"], each["losses"]) for each in shown} == wanted
    assert min(each["run"] for each in shown) > 1
    ended = [token for (token,) in rows(url_of(system), "SELECT token FROM ends") if token in wanted]
    assert sorted(ended) == sorted(sent)


def require_gone(system: System, before: dict[int, str]) -> bool:
    """Require that none of these processes exists."""
    assert {pid: words for pid, words in tasks_of(system).items() if pid in before} == {}
    return True


def url_of(system: System) -> str:
    """Return the URL of the system's database."""
    return f"sqlite:///{system.directory / 'instance' / 'queue_tool.db'}"


def test_each_task_ends_once_and_no_process_stays_after_a_kill_and_after_a_stop(stopped_system: System) -> None:
    system = stopped_system
    shutil.copy(str(held.__file__), system.directory / "held.py")
    system.settings |= {"TASKS": "held", "STUCK_AFTER": "0", "DRAIN": "1", "ISOLATED": "8", "THREADS": "8"}
    watch = {"of": "tasks", "on": "UPDATE OF state", "when": "NEW.state IN ('finished', 'failed', 'canceled')"}
    note(url_of(system), "ends", "token", **watch)
    system.start()
    killed = hold(system, "killed")
    before = tasks_of(system)
    assert "\0".join(["sleep", "3600", ""]) in before.values()
    os.kill(system.child("worker-1"), signal.SIGKILL)
    require_ended(system, killed, losses=1)
    eventually(lambda: require_gone(system, before))

    stopped = hold(system, "stopped")
    assert system.stop() == 0
    eventually(lambda: not system.pids())
    assert rows(url_of(system), "SELECT count(*) FROM tasks WHERE resignations > 0 OR state = 'running'") == [(0,)]
    system.start()
    require_ended(system, stopped, losses=0)
    system.stop()
