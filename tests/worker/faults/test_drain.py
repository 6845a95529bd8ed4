"""A worker drains: tasks that can end in time do so, the others are put back, and none counts twice."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from queue_tool.model.states import State
from tests.support import LIMIT
from tests.worker.faults.site import TASKS, Site, is_alive

SHORT = 1000
LONG = 2000


def load(site: Site, note: Path) -> tuple[list[str], list[str]]:
    """Send short tasks, and long ones on every lane; return the tokens of both when all of them run.

    Returns:
        The tokens of the short tasks, and those of the long ones.
    """
    long = site.send("hard.first-run-is-long", range(LONG))
    long += site.send("hard.first-run-is-long-in-a-thread", range(3))
    long += site.send("hard.first-run-is-long-alone", [str(note)])
    short = site.sleepers(SHORT, valor=1)
    site.await_(lambda: site.count(State.QUEUED) == 0 and note.exists() and note.read_text())
    return short, long


def require_put_back(site: Site, tokens: list[str]) -> None:
    """Require that these tasks are queued for their second run, and that Redis holds nothing of the first run."""
    assert site.tokens(State.QUEUED) == set(tokens)
    counts = "SELECT DISTINCT run, attempt, losses, resignations FROM tasks WHERE state = 'queued'"
    assert site.rows(counts) == [(2, 1, 0, 0)]
    assert site.rows("SELECT * FROM workers WHERE kind = 'worker' AND gone_at IS NULL") == []
    site.require_clean_redis()


def require_second_runs(site: Site, tokens: list[str]) -> None:
    """Start another worker, and require that it ends each of these tasks in its second run."""
    worker = site.start(TASKS=TASKS)
    site.await_end()
    site.stop(worker)
    assert {site.task(token).result for token in tokens} == {"2"}
    site.require_each_task_ended_once()
    site.require_clean_redis()


def test_a_drain_finishes_short_tasks_and_puts_long_ones_back(site: Site, tmp_path: Path) -> None:
    worker = site.start(DRAIN="3", TASKS=TASKS)
    short, long = load(site, tmp_path / "pid")
    site.stop(worker)
    assert site.tokens(State.FINISHED) == set(short)
    require_put_back(site, long)
    assert not is_alive(int((tmp_path / "pid").read_text()))
    require_second_runs(site, long)


@pytest.mark.sqlite  # the database plays no part here, so once is enough
@pytest.mark.parametrize(("first", "second"), [(signal.SIGTERM, signal.SIGINT), (signal.SIGINT, signal.SIGTERM)])
def test_a_second_signal_ends_a_drain_at_once(
    site: Site, tmp_path: Path, first: signal.Signals, second: signal.Signals
) -> None:
    worker = site.start(DRAIN="3600")
    long = site.send("hard.first-run-is-long", range(10))
    site.await_(lambda: site.count(State.RUNNING) == len(long))
    worker.send_signal(first)
    worker.send_signal(second)
    assert worker.wait(LIMIT) == 0
    require_put_back(site, long)


@pytest.mark.sqlite  # the database plays no part here, so once is enough
def test_a_drain_takes_nothing_new(site: Site) -> None:
    (held,) = site.send("hard.ends-its-worker", [None])
    (waits,) = site.sleepers(1)
    assert site.start(CONCURRENCY="1", DRAIN="3600").wait(LIMIT) == 0
    assert (site.task(held).state, site.task(waits).state) == (State.FINISHED, State.QUEUED)
    assert site.jobs() == {waits}


def test_a_worker_that_was_declared_dead_cannot_change_its_old_tasks(site: Site, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    late = site.start()
    (token,) = site.send("hard.until", [str(gate)])
    site.await_(lambda: site.keys("rq:execution:*"))  # its claim and its execution are written; it is idle now
    late.send_signal(signal.SIGSTOP)
    worker = site.start()
    site.give_up_all_but(worker)
    site.await_(lambda: site.started() == {f"{token}-2"})
    gate.touch()
    site.await_end()
    late.send_signal(signal.SIGCONT)
    # Until it notices that it was declared dead, each task that it claims is taken back from it and counts as a loss.
    site.await_(lambda: late.pid in {each.process.pid for each in site.runtime.store.workers.all()})
    (after,) = site.sleepers(1)
    site.await_end()
    site.stop(late)
    site.stop(worker)
    assert (site.task(token).result, site.task(after).state) == ("2", State.FINISHED)
    assert site.rows("SELECT run, losses FROM tasks ORDER BY id") == [(2, 1), (1, 0)]
    site.require_each_task_ended_once()
    site.require_clean_redis()
