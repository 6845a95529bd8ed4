"""A worker that is asked to end: what can end in time does, the rest is put back, and nothing of it counts twice."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from queue_tool.model.states import State
from tests.worker.faults.site import TASKS, Site, is_alive

SHORT = 1000
LONG = 2000


def load(site: Site, note: Path) -> tuple[list[str], list[str]]:
    """Send short tasks and, on every lane, long ones; return both when all of them run."""
    long = site.send("hard.first-run-is-long", range(LONG))
    long += site.send("hard.first-run-is-long-in-a-thread", range(3))
    long += site.send("hard.first-run-is-long-alone", [str(note)])
    short = site.sleepers(SHORT, valor=1)
    site.await_(lambda: site.count(State.QUEUED) == 0 and note.exists() and note.read_text())
    return short, long


def require_put_back(site: Site, tokens: list[str]) -> None:
    """These wait for their second run, of which nothing is lost, and RQ knows nothing of the first."""
    assert site.tokens(State.QUEUED) == set(tokens)
    assert site.rows("SELECT DISTINCT run, attempt, losses FROM tasks WHERE state = 'queued'") == [(2, 1, 0)]
    assert site.rows("SELECT * FROM workers WHERE kind = 'worker' AND gone_at IS NULL") == []
    site.require_clean_redis()


def require_second_runs(site: Site, tokens: list[str]) -> None:
    """Another worker ends all that is left, by its second run."""
    worker = site.start(TASKS=TASKS)
    site.await_end()
    site.stop(worker)
    assert {site.task(token).result for token in tokens} == {"2"}
    site.require_one_end_each()
    site.require_clean_redis()


def test_a_drain_ends_what_it_can_and_puts_the_rest_back(site: Site, tmp_path: Path) -> None:
    worker = site.start(DRAIN="3", TASKS=TASKS)
    short, long = load(site, tmp_path / "pid")
    site.stop(worker)
    assert site.tokens(State.FINISHED) == set(short)
    require_put_back(site, long)
    assert not is_alive(int((tmp_path / "pid").read_text()))
    require_second_runs(site, long)


@pytest.mark.parametrize(("first", "second"), [(signal.SIGTERM, signal.SIGINT), (signal.SIGINT, signal.SIGTERM)])
def test_a_second_signal_ends_a_drain_at_once(
    site: Site, tmp_path: Path, first: signal.Signals, second: signal.Signals
) -> None:
    worker = site.start(DRAIN="3600")
    long = site.send("hard.first-run-is-long", range(10))
    site.await_(lambda: site.count(State.RUNNING) == len(long))
    worker.send_signal(first)
    worker.send_signal(second)
    assert worker.wait(20) == 0
    require_put_back(site, long)


def test_a_drain_takes_nothing_new(site: Site) -> None:
    (held,) = site.send("hard.ends-its-worker", [None])
    (waits,) = site.sleepers(1)
    assert site.start(CONCURRENCY="1", DRAIN="3600").wait(60) == 0
    assert (site.task(held).state, site.task(waits).state) == (State.FINISHED, State.QUEUED)
    assert site.jobs() == {waits}


def test_a_worker_that_was_given_up_for_dead_changes_nothing_any_more(site: Site, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    late = site.start()
    (token,) = site.send("hard.until", [str(gate)])
    site.await_(lambda: site.keys("rq:execution:*"))  # it has told everybody, and rests
    late.send_signal(signal.SIGSTOP)
    worker = site.start()
    site.give_up_all_but(worker)
    site.await_(lambda: site.started() == {f"{token}-2"})
    gate.touch()
    site.await_end()
    late.send_signal(signal.SIGCONT)
    # What it claims before it knows that it was given up is taken back from it, as a loss.
    site.await_(lambda: late.pid in {each.process.pid for each in site.runtime.store.workers.all()})
    (after,) = site.sleepers(1)
    site.await_end()
    site.stop(late)
    site.stop(worker)
    assert (site.task(token).result, site.task(after).state) == ("2", State.FINISHED)
    assert site.rows("SELECT run, losses FROM tasks ORDER BY id") == [(2, 1), (1, 0)]
    site.require_one_end_each()
    site.require_clean_redis()
