"""Functions that misbehave: each gets its own outcome, and its worker and the other tasks continue."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from queue_tool.model.states import MOST_LOSSES, Code, State
from tests.support import LIMIT
from tests.worker.faults.site import TASKS, Site, is_alive

RAISES = {"exit": "SystemExit: 3", "interrupt": "KeyboardInterrupt", "mine": "tests.worker.faults.hard.Mine: a word"}


@pytest.mark.sqlite  # the database plays no part here, so once is enough
def test_whatever_a_function_raises_affects_only_its_own_task(site: Site) -> None:
    worker = site.start(TASKS=TASKS)
    neighbors = site.send("hard.loop", ["before", "after"])
    raising = {
        token: sentence
        for lane in ("hard.loop", "hard.thread", "hard.alone")
        for token, sentence in zip(site.send(lane, list(RAISES)), RAISES.values(), strict=True)
    }
    bad = [token for lane in ("hard.loop", "hard.thread", "hard.alone") for token in site.send(lane, ["a set"])]
    (unreadable,) = site.send("hard.unreadable", [{}])
    site.await_end()
    assert {token: site.task(token).error for token in raising} == raising
    assert {site.task(token).code for token in raising} == {Code.ERROR}
    assert {site.task(token).code for token in bad} == {Code.BAD_RESULT}
    assert site.task(unreadable).code is Code.ERROR
    assert "KeyError: 'absent'" in (site.task(unreadable).error or "")
    assert {site.task(token).state for token in neighbors} == {State.FINISHED}
    assert site.rows("SELECT DISTINCT losses, run FROM tasks") == [(0, 1)]
    site.stop(worker)
    site.require_each_task_ended_once()
    site.require_clean_redis()


@pytest.mark.sqlite
def test_threads_and_tasks_that_a_function_leaves_do_not_prevent_its_worker_from_stopping(site: Site) -> None:
    worker = site.start()
    own = site.send("hard.thread", ["a thread", "a thread that stays"])
    own += site.send("hard.loop", ["a thread that stays", "leave something behind"])
    site.await_end()
    assert [json.loads(site.task(token).result or "") for token in own] == ["joined", "left", "left", 2]
    (after,) = site.send("hard.loop", ["after"])
    site.await_end()
    site.stop(worker)
    assert site.task(after).state is State.FINISHED
    site.require_each_task_ended_once()
    site.require_clean_redis()


@pytest.mark.sqlite  # the database plays no part here, so once is enough
def test_a_thread_that_a_late_exception_ends_is_replaced(site: Site) -> None:
    worker = site.start(THREADS="1")
    own = []
    for _ in range(3):
        own += site.send("hard.thread", ["a late exception"])
        site.await_end()
    own += site.send("hard.thread", ["after"] * 3)
    site.await_end()
    site.stop(worker)
    assert {site.task(token).state for token in own} == {State.FINISHED}
    assert "ended from outside" in site.whole_log
    assert site.rows("SELECT DISTINCT losses, run FROM tasks") == [(0, 1)]
    site.require_each_task_ended_once()
    site.require_clean_redis()


@pytest.mark.sqlite
def test_a_background_task_that_raises_system_exit_does_not_end_other_tasks(site: Site, tmp_path: Path) -> None:
    worker = site.start()
    neighbors = site.send("hard.until", [str(tmp_path / "gate")] * 5)
    site.await_(lambda: site.count(State.RUNNING) == len(neighbors))
    (own,) = site.send("hard.loop", ["leave an exit behind"])
    site.await_(lambda: "SystemExit" in site.log)
    (after,) = site.send("hard.loop", ["after"])
    site.await_(lambda: site.task(after).state.ended)
    (tmp_path / "gate").touch()
    site.await_end()
    site.stop(worker)
    assert {site.task(token).state for token in (own, after, *neighbors)} == {State.FINISHED}
    assert site.rows("SELECT DISTINCT losses, run FROM tasks") == [(0, 1)]
    site.require_each_task_ended_once()
    site.require_clean_redis()


# On PostgreSQL a fork inherits the connections. Both lanes of the worker's own process have the same ones.
@pytest.mark.parametrize(
    "task_type",
    ["hard.thread", *(pytest.param(f"hard.{lane}", marks=pytest.mark.sqlite) for lane in ("loop", "alone"))],
)
def test_a_fork_of_a_worker_never_continues_as_a_worker(site: Site, task_type: str) -> None:
    worker = site.start(TASKS=TASKS)
    own = site.send(task_type, ["a fork", "a fork that comes back"])
    site.await_end()
    children = [json.loads(site.task(token).result or "")["child"] for token in own]
    site.await_(lambda: not any(is_alive(child) for child in children))
    (after,) = site.send(task_type, ["after"])
    site.await_end()
    site.stop(worker)
    assert site.task(after).result == '"after"'
    site.require_each_task_ended_once()
    site.require_clean_redis()


def test_a_function_that_ends_its_worker_fails_and_its_neighbors_do_not(site: Site, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    neighbors = site.send("hard.until", [str(gate)] * 3)
    (killer,) = site.send("hard.killer", [len(neighbors)])  # it waits for them, because only what has begun is charged
    for losses in (1, 2):
        assert site.start().wait(LIMIT) == 7
        site.sweep()
        assert site.rows("SELECT DISTINCT state, losses FROM tasks") == [("queued", losses)]
    assert site.rows("SELECT DISTINCT lane FROM tasks") == [("isolated",)]
    worker = site.start(ISOLATED="4")
    site.await_end_of([killer])
    gate.touch()
    site.await_end()
    site.stop(worker)
    assert (site.task(killer).state, site.task(killer).code) == (State.FAILED, Code.WORKER_LOST)
    assert {site.task(token).state for token in neighbors} == {State.FINISHED}
    lost = dict(site.rows("SELECT token, losses FROM tasks WHERE attempt = 1"))
    assert lost == {killer: MOST_LOSSES, **dict.fromkeys(neighbors, MOST_LOSSES - 1)}
    site.require_each_task_ended_once()
    site.require_clean_redis()


@pytest.mark.sqlite  # the database plays no part here, so once is enough
def test_a_task_whose_type_its_worker_does_not_know_fails(site: Site) -> None:
    worker = site.start(TASKS="")
    (token,) = site.send("hard.loop", ["x"])
    (known,) = site.sleepers(1)
    site.await_end()
    site.stop(worker)
    assert (site.task(token).state, site.task(token).code) == (State.FAILED, Code.UNKNOWN_TASK_TYPE)
    assert site.task(known).state is State.FINISHED
    site.require_each_task_ended_once()
    site.require_clean_redis()
