"""Deadlines on every lane: a timeout is recorded in time whatever the function does, and late results are ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from queue_tool.model.states import Code, State
from tests.support import LIMIT
from tests.worker.faults.site import TASKS, Site, is_alive

pytestmark = pytest.mark.sqlite  # the database plays no part here, so once is enough


def require_timeout(site: Site, token: str) -> None:
    """Wait until a task has been recorded as timed out."""
    site.await_(lambda: site.task(token).state.ended)
    assert site.task(token).code is Code.TIMEOUT, site.task(token)


@pytest.mark.parametrize("task_type", ["hard.too-long", "hard.blocking"])
def test_a_coroutine_that_takes_too_long_is_timed_out(site: Site, task_type: str) -> None:
    worker = site.start()
    (token,) = site.send(task_type, [None])
    require_timeout(site, token)
    site.sleepers(1)  # it ends only if the event loop is free again
    site.await_end()
    site.stop(worker)
    site.require_each_task_ended_once()
    site.require_clean_redis()


@pytest.mark.parametrize(
    ("task_type", "next_type", "slots"),
    [("hard.deaf", "hard.until", "CONCURRENCY"), ("hard.deaf-in-a-thread", "hard.until-in-a-thread", "THREADS")],
)
def test_a_function_that_ignores_its_deadline_keeps_its_slot_until_it_returns(
    site: Site, tmp_path: Path, task_type: str, next_type: str, slots: str
) -> None:
    gate, next_gate, seen = tmp_path / "gate", tmp_path / "next", tmp_path / "gate seen"
    worker = site.start(**{slots: "2"})
    (late,) = site.send(task_type, [str(gate)])
    require_timeout(site, late)
    first, second = site.send(next_type, [str(next_gate)] * 2)
    site.await_(lambda: site.redis.hget(f"rq:job:{first}", "status") == b"started")
    assert (site.task(first).state, site.task(second).state) == (State.RUNNING, State.QUEUED)
    assert not seen.exists()
    gate.touch()
    site.await_(lambda: site.task(second).state is State.RUNNING)
    assert seen.exists()
    next_gate.touch()
    site.await_end()
    site.stop(worker)
    assert site.task(late).code is Code.TIMEOUT
    site.require_each_task_ended_once()
    site.require_clean_redis()


def test_a_worker_whose_threads_are_all_stuck_ends_and_can_be_replaced(site: Site, tmp_path: Path) -> None:
    worker = site.start(THREADS="2", DRAIN="1")
    (other,) = site.send("hard.first-run-is-long", [None])
    site.await_(lambda: site.count(State.RUNNING) == 1)
    stuck = site.send("hard.deaf-in-a-thread", [str(tmp_path / "gate")] * 2)
    assert worker.wait(LIMIT) == 0
    assert [site.task(token).code for token in stuck] == [Code.TIMEOUT] * 2
    assert site.task(other).state is State.QUEUED
    next_one = site.start(THREADS="2")
    site.await_end()
    site.stop(next_one)
    assert site.task(other).result == "2"
    site.require_each_task_ended_once()
    site.require_clean_redis()


def test_a_worker_stays_if_its_only_thread_obeys_a_moment_after_the_deadline(site: Site) -> None:
    worker = site.start(THREADS="1")
    obeying = site.send("hard.obeys-in-a-thread", [None] * 2)
    site.await_end()
    assert [site.task(token).code for token in obeying] == [Code.TIMEOUT] * 2
    site.send("hard.thread", ["after"])
    site.await_end()
    assert site.rows("SELECT 1 FROM workers WHERE trouble IS NOT NULL") == []
    site.stop(worker)
    assert "every thread is busy" not in site.whole_log


@pytest.mark.parametrize("task_type", ["hard.deaf", "hard.blocking-for-hours"])
def test_a_coroutine_that_never_ends_does_not_prevent_its_worker_from_stopping(
    site: Site, tmp_path: Path, task_type: str
) -> None:
    worker = site.start(DRAIN="0")
    (token,) = site.send(task_type, [str(tmp_path / "gate")])
    require_timeout(site, token)
    site.stop(worker)
    site.require_each_task_ended_once()
    site.require_clean_redis()


def test_an_isolated_function_that_takes_too_long_is_killed(site: Site, tmp_path: Path) -> None:
    worker = site.start(TASKS=TASKS)
    (token,) = site.send("hard.too-long-alone", [str(tmp_path / "pid")])
    require_timeout(site, token)
    site.await_(lambda: not is_alive(int((tmp_path / "pid").read_text())))
    site.send("hard.alone", ["after"])
    site.await_end()
    site.stop(worker)
    site.require_each_task_ended_once()
    site.require_clean_redis()
