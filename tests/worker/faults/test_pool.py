"""The processes of the isolated lane are warm: what one task leaves in its process does not reach the next one."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from queue_tool.host.processes import processors
from queue_tool.model.settings import FEWEST_ISOLATED
from queue_tool.model.states import Code, State
from queue_tool.store.losses import LOST_TOO_OFTEN
from tests.worker.faults import pool
from tests.worker.faults.pool import REPLACED, RESTORED
from tests.worker.faults.site import Site, is_alive

pytestmark = pytest.mark.sqlite  # the database plays no part here, so once is enough

MODULE = pool.__name__


def results(site: Site, tokens: list[str]) -> list[Any]:
    """Wait until all tasks have ended; return the results of these."""
    site.await_end()
    return [json.loads(site.task(token).result or "null") for token in tokens]


def test_what_a_task_leaves_is_undone_or_ends_with_its_process(site: Site, tmp_path: Path) -> None:
    worker = site.start(TASKS=MODULE, ISOLATED="1", ISOLATED_MEMORY="150 MiB")
    looks = site.send("pool.look", [""])
    acts = {}
    for name in RESTORED | REPLACED:
        acts[name] = site.send("pool.act", [[name, str(tmp_path / name)]])[0]
        looks += site.send("pool.look", [""])
    found = results(site, looks)
    pids = [state.pop("pid") for state in found if state.pop("calls")]
    assert {name: state for name, state in zip(acts, found[1:], strict=True) if state != found[0]} == {}
    changed = {name for name, before, after in zip(acts, pids, pids[1:], strict=False) if before != after}
    assert changed == set(REPLACED)
    assert site.task(acts["death"]).error == f"{LOST_TOO_OFTEN} The task's own process ended with code 3."
    assert site.task(acts["hang"]).code is Code.TIMEOUT
    failed = {name for name, token in acts.items() if site.task(token).state is State.FAILED}
    assert failed == {"error", "death", "hang"}
    left = {name: int((tmp_path / name).read_text()) for name in ("child", "orphan", "session")}
    site.await_(lambda: {name for name, pid in left.items() if is_alive(pid)} == {"session"})
    os.kill(left["session"], signal.SIGKILL)
    assert len(set(results(site, site.send("pool.draw", [""] * 5)))) == 5
    site.stop(worker)
    site.await_(lambda: not any(map(is_alive, pids)))
    site.require_each_task_ended_once()
    site.require_clean_redis()


def test_a_process_does_as_many_tasks_as_it_may_and_a_fresh_one_does_one(site: Site) -> None:
    tokens = site.send("pool.look", [""] * 4) + site.send("pool.fresh", [""] * 2) + site.send("pool.look", [""] * 5)
    with site.database() as connection:  # two processes have died while they ran it
        connection.execute(f"UPDATE tasks SET losses = 2 WHERE token = '{tokens[-2]}'")
    worker = site.start(TASKS=MODULE, ISOLATED="1", ISOLATED_TASKS="3", ISOLATED_MEMORY="30 MiB")
    found = results(site, tokens)
    pids = [state["pid"] for state in found]
    order = list(dict.fromkeys(pids))
    assert [order.index(pid) for pid in pids] == [0, 0, 0, 1, 2, 3, 1, 1, 4, 5, 4]
    assert [state["calls"] for state in found] == [1, 2, 3, 1, 1, 1, 2, 3, 1, 1, 2]  # a variable of a module
    worker.kill()
    site.await_(lambda: not any(map(is_alive, order)))


def test_the_death_of_a_process_affects_only_the_task_that_it_runs(site: Site, tmp_path: Path) -> None:
    gate, count = tmp_path / "gate", max(FEWEST_ISOLATED, processors())
    worker = site.start(TASKS=MODULE)
    tokens = site.send("pool.wait", [str(gate)] * (count + 1))
    site.await_(lambda: len(list(tmp_path.glob("gate.*"))) == count)
    killed, *others = (int(path.suffix[1:]) for path in tmp_path.glob("gate.*"))
    os.kill(killed, signal.SIGKILL)
    site.await_(lambda: len(list(tmp_path.glob("gate.*"))) == count + 1)
    gate.touch()
    site.await_end()
    ((dead, *counts),) = site.rows("SELECT token, run, attempt, losses FROM tasks WHERE losses > 0")
    assert (counts, site.task(dead).state) == ([2, 1, 1], State.FINISHED)
    (attempt,) = site.runtime.ask.details(dead).attempts
    assert (attempt.code, attempt.error) == (Code.WORKER_LOST, "The task's own process ended with code -9.")
    assert {*others} < {*results(site, tokens)}
    (idle,) = {state["pid"] for state in results(site, site.send("pool.look", [""]))}
    os.kill(idle, signal.SIGKILL)
    site.await_(lambda: not is_alive(idle))
    assert idle not in {state["pid"] for state in results(site, site.send("pool.look", [""] * 3))}
    assert site.rows("SELECT token FROM tasks WHERE run > 1 OR attempt > 1 OR losses > 0") == [(dead,)]
    site.stop(worker)
    site.require_each_task_ended_once()
    site.require_clean_redis()
