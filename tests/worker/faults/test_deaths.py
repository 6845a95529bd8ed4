"""A worker is killed between any two of its steps: its tasks run again, and each ends once."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from queue_tool.model.states import State
from tests.support import LIMIT
from tests.worker.faults.site import TASKS, Site, is_alive


def not_claimed(site: Site) -> bool:
    """Return whether there are tickets that were taken and whose tasks were not claimed."""
    return bool(site.started() - site.tokens(State.RUNNING) - site.tokens(State.FINISHED))


def not_removed(site: Site) -> bool:
    """Return whether there are ended tasks whose tickets are still in Redis."""
    return bool(site.started() & site.tokens(State.FINISHED))


LEFT: dict[str, Callable[[Site], bool]] = {
    "before take": lambda site: not not_claimed(site) and site.count(State.QUEUED) > 0,
    "after take": not_claimed,
    "after claim": lambda site: site.count(State.RUNNING) > 0,
    "while running": lambda site: site.count(State.RUNNING) > 0 and bool(site.keys("rq:execution:*")),
    "after settle": not_removed,
    "after tell": lambda site: site.count(State.FINISHED) > 0 and not not_removed(site),
}
"""By step: whether the state is the one that a worker killed at this step leaves."""


# The third turn of each step is a transaction that settles and claims; the first one only claims.
@pytest.mark.parametrize("turn", [pytest.param(1, marks=pytest.mark.sqlite), 3])
@pytest.mark.parametrize("step", LEFT)
def test_a_worker_killed_at_any_step_loses_nothing(site: Site, step: str, turn: int) -> None:
    sent = site.sleepers(20, valor=0.3 if step == "while running" else 0.001) + site.sleepers(20)
    site.sweep()  # run the audit now: the next one comes too late to repair what the code under test must repair
    killed = site.start("-m", "tests.worker.faults.doomed", step, str(turn), CONCURRENCY="7")
    assert killed.wait(LIMIT) == -signal.SIGKILL, site.log
    assert LEFT[step](site)
    lost, begun = site.tokens(State.RUNNING), site.begun()
    assert (not lost & begun) if step == "after claim" and turn == 1 else (step != "while running" or lost & begun)
    site.sweep()
    assert site.begun_files() == []
    assert site.started() == set()
    assert sorted(site.waiting()) == site.tickets(State.QUEUED)
    healthy = site.start(CONCURRENCY="20")
    site.await_end()
    site.stop(healthy)
    assert site.rows("SELECT token, state, run, attempt, losses FROM tasks ORDER BY token") == [
        (token, "finished", 2, 1, int(token in begun)) if token in lost else (token, "finished", 1, 1, 0)
        for token in sorted(sent)
    ]
    site.require_each_task_ended_once()
    site.require_clean_redis()


@pytest.mark.sqlite  # the database plays no part here, so once is enough
def test_the_processes_of_isolated_tasks_end_when_their_worker_is_killed(site: Site, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    worker = site.start(TASKS=TASKS)
    (token,) = site.send("hard.first-run-is-long-alone", [str(note)])
    site.await_(lambda: note.exists() and note.read_text())
    worker.kill()
    assert worker.wait(LIMIT) == -signal.SIGKILL
    site.await_(lambda: not is_alive(int(note.read_text())))
    healthy = site.start(TASKS=TASKS)
    site.await_end()
    site.stop(healthy)
    assert site.task(token).result == "2"
    site.require_each_task_ended_once()
    site.require_clean_redis()
