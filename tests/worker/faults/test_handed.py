"""A process that has several runs is killed, canceled or slow: only the run that has begun is affected."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from queue_tool.model.states import State
from tests.support import LIMIT
from tests.worker.faults import brief, late_server, silent
from tests.worker.faults.site import Site, is_alive
from tests.worker.faults.test_suspects import accuse
from tests.worker.tools.place import RQ

pytestmark = pytest.mark.sqlite  # the database plays no part here, so once is enough

MODULE = brief.__name__

OTHERS: list[object] = [[] for _ in range(40)]


@pytest.mark.parametrize("killed", ["process", "worker"])
def test_only_what_had_begun_is_charged_when_a_process_or_its_worker_is_killed(
    site: Site, tmp_path: Path, killed: str
) -> None:
    note = tmp_path / "note"
    worker = site.start(TASKS=MODULE, ISOLATED="1")
    site.send("brief.pid", OTHERS)
    site.await_end()  # their functions are known to be short
    killer = [str(worker.pid if killed == "worker" else 0), str(note)]  # only one finds others behind it and no file
    tokens = site.send("brief.pid", [*OTHERS, killer] * 5)
    if killed == "worker":
        assert worker.wait(LIMIT) == -signal.SIGKILL
        running = site.tokens(State.RUNNING)
        charged = site.begun() & running
        assert running - charged
        site.sweep()
        worker = site.start(TASKS=MODULE, ISOLATED="1")
    site.await_end()
    if killed == "process":
        charged = {note.read_text()}
    assert note.read_text() in charged
    assert {token for (token,) in site.rows("SELECT token FROM tasks WHERE losses > 0")} == charged
    assert site.rows("SELECT token FROM tasks WHERE losses > 1 OR attempt > 1") == []
    assert {site.task(token).state for token in tokens} == {State.FINISHED}
    site.stop(worker)
    site.require_each_task_ended_once()
    site.require_clean_redis()


def test_what_waits_behind_a_function_that_takes_long_runs_elsewhere_and_survives_its_cancel(
    site: Site, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    worker = site.start(TASKS=MODULE, ISOLATED="2")
    site.send("brief.pid", OTHERS)
    site.await_end()
    long, *others = site.send("brief.pid", [[str(gate)], *OTHERS])
    site.await_end_of(others)
    assert site.task(long).state is State.RUNNING
    pids = {site.task(token).result for token in others}
    site.runtime.cancel([long], by="test", reason="")
    site.await_end()
    later = site.send("brief.pid", [[str(gate.with_name("other"))], *OTHERS])
    site.await_end_of(later[1:])
    gate.with_name("other").touch()
    site.await_end()
    assert [site.task(token).state for token in (long, *later)] == [State.CANCELED] + [State.FINISHED] * len(later)
    assert site.rows("SELECT token FROM tasks WHERE losses > 0 OR attempt > 1") == []
    site.stop(worker)
    site.await_(lambda: not any(is_alive(int(pid or 0)) for pid in pids))
    site.require_each_task_ended_once()
    site.require_clean_redis()


def test_a_worker_claims_isolated_tasks_when_its_fork_server_can_start_processes(site: Site) -> None:
    (isolated,) = site.send("late.isolated", [""])
    threads = site.send("late.thread", [""])
    worker = site.start(TASKS=late_server.__name__)
    site.await_end_of(threads)
    assert site.task(isolated).state is State.QUEUED
    (site.directory / late_server.GATE).touch()
    site.await_end()
    assert site.task(isolated).state is State.FINISHED
    site.stop(worker)
    site.require_each_task_ended_once()
    site.require_clean_redis()


def test_a_worker_that_exits_while_its_fork_server_starts_the_guard_ends_both(site: Site) -> None:
    for path in (late_server.GATE, late_server.IS_SLOW):
        (site.directory / path).touch()
    site.send("late.exit", [""])
    burst = ("-u", site.redis_url, "-w", "queue_tool.worker.Worker", "-S", "json", "--burst", "default.threads")
    worker = site.start(RQ, "worker", *burst, TASKS=late_server.__name__)
    assert worker.wait(LIMIT / 2) == 0, site.log  # patience would end the server later


def test_what_gives_no_sign_of_life_is_killed_and_its_tasks_run_in_another_process(site: Site) -> None:
    (site.directory / silent.NEXT).mkdir()
    for number in range(4):  # the first processes of these tasks
        (site.directory / silent.NEXT / str(number)).touch()
    suspects = site.send("silent.thread", [""] * 3)
    accuse(site)
    warm = site.send("silent.warm", [""] * 3)
    worker = site.start("-m", "tests.worker.faults.impatient", TASKS=silent.__name__, ISOLATED="4")
    site.await_end()
    server = int(site.task(warm[0]).result or 0)
    os.kill(server, signal.SIGSTOP)
    fresh = site.send("silent.fresh", [""] * 3)
    site.await_end()
    assert not is_alive(server)
    tokens = [*warm, *fresh, *suspects]
    assert {site.task(token).state for token in tokens} == {State.FINISHED}, site.log
    assert site.rows("SELECT DISTINCT losses, attempt FROM tasks ORDER BY losses") == [(0, 1), (2, 1)], site.log
    for told in ("the fork server of the isolated lane does not answer", "isolated lane begins", "suspects begins"):
        assert told in site.log
    site.stop(worker)
    site.require_each_task_ended_once()
    site.require_clean_redis()
