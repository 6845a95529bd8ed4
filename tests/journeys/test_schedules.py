"""Schedules in a whole system: three sweepers, one is killed again and again, and a new version of the code comes."""

from __future__ import annotations

import os
import signal
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import prepared_database
from tests.support import System, clean_environment, eventually, http
from tests.warm import Program, interpreter

MODULE = """
from queue_tool import task

@task("beat", schedule={{"every": 1, "catch_up": "all", "data": {number}, "version": {number}}})
def beat(data):
    return data
"""


@pytest.fixture
def system(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    (tmp_path / "beats.py").write_text(MODULE.format(number=1))
    made = System(tmp_path, settings={"TASKS": "beats", **prepared_database(request, tmp_path)})
    try:
        made.start()
        yield made
    finally:
        made.kill_all()


def sweeper(system: System, log: Path) -> Program:
    """Start one more sweeper of a system."""
    with log.open("ab") as output:
        return interpreter().start(
            ["-m", "queue_tool", "sweep"],
            cwd=system.directory,
            env=clean_environment(**system.settings),
            stdout=output,
            stderr=output,
        )


def test_each_tick_is_made_once_by_sweepers_that_are_killed_and_a_new_version_wins(
    system: System, tmp_path: Path
) -> None:
    (found,) = http("GET", system.url("/schedules")).json["items"]
    place = system.url(f"/schedules/{found['id']}")

    def ticks() -> list[Any]:
        made: list[Any] = http("GET", f"{place}/ticks?limit=1000").json["items"]
        return made[::-1]

    helpers = [sweeper(system, tmp_path / "sweep.log") for _ in range(2)]
    for _ in range(3):  # whoever makes ticks now, another one must go on
        before = len(ticks())
        os.kill(helpers[0].pid, signal.SIGKILL)
        helpers[0].wait()
        helpers[0] = sweeper(system, tmp_path / "sweep.log")
        eventually(lambda: len(ticks()) > before)
    (tmp_path / "beats.py").write_text(MODULE.format(number=2))
    helpers.append(sweeper(system, tmp_path / "sweep.log"))  # new code beside the old one
    eventually(lambda: http("GET", place).json["version"] == 2)
    (tmp_path / "beats.py").write_text(MODULE.format(number=1))
    helpers.append(sweeper(system, tmp_path / "sweep.log"))  # a host with the old code starts late
    before = len(ticks())
    eventually(lambda: len(ticks()) > before + 1)
    assert http("GET", place).json["request"]["data"] == 2
    http("POST", f"{place}/pause", {})
    for helper in helpers:
        os.kill(helper.pid, signal.SIGKILL)
        helper.wait()

    made = ticks()
    ats = [datetime.fromisoformat(tick["at"]) for tick in made]
    assert ats == sorted(set(ats))
    changes = sum(after - before != timedelta(seconds=1) for before, after in pairwise(ats))
    assert changes <= 1  # the change of the version
    tasks = http("GET", system.url(f"/tasks?tag=schedule:{found['id']}&limit=1000")).json["items"]
    assert sorted(task["token"] for task in tasks) == sorted(tick["token"] for tick in made)
    eventually(lambda: http("GET", system.url(f"/tasks/{made[-1]['token']}")).json["status"] == "finished")
