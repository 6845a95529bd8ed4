"""A task that makes its workers end by themselves: the first times are free, and then each counts as a loss."""

from __future__ import annotations

import pytest
from rq.command import send_shutdown_command

from queue_tool.model.states import MOST_LOSSES, MOST_RESIGNATIONS, Code, State
from tests.support import LIMIT
from tests.worker.faults.site import Site


def counts(site: Site) -> list[tuple[int, ...]]:
    """Return run, resignations and losses of the only task."""
    return site.rows("SELECT run, resignations, losses FROM tasks")


def have(site: Site, **values: int) -> None:
    """Give the only task these values, as if it had ended many workers, and let its next ticket be pushed."""
    with site.database() as database:
        for column, value in values.items():
            database.execute(f"UPDATE tasks SET {column} = {value}")
    site.sweep()


def end_a_worker(site: Site) -> None:
    """Start a worker, and wait until its task has ended it."""
    assert site.start(DRAIN="0.1").wait(LIMIT) == 0, site.log


@pytest.mark.sqlite  # the database plays no part here, so once is enough
@pytest.mark.parametrize("sender", ["itself", "a child"])
def test_a_task_that_ends_its_worker_is_noted(site: Site, sender: str) -> None:
    site.send("hard.stops-its-worker", [sender])
    end_a_worker(site)
    assert counts(site) == [(2, 1, 0)]


@pytest.mark.sqlite  # the database plays no part here, so once is enough
def test_a_stop_by_a_command_of_rq_is_not_the_tasks_own(site: Site) -> None:
    worker = site.start(DRAIN="0")
    site.send("hard.first-run-is-long", [None])
    site.await_(lambda: site.count(State.RUNNING) == 1)
    (found,) = site.runtime.store.workers.all()
    send_shutdown_command(site.redis, found.process.name)
    assert worker.wait(LIMIT) == 0, site.log
    assert counts(site) == [(2, 0, 0)]


def test_a_task_that_ends_its_workers_again_and_again_fails(site: Site) -> None:
    (token,) = site.send("hard.stops-its-worker-in-a-thread", ["itself"])
    have(site, resignations=MOST_RESIGNATIONS - 1)
    end_a_worker(site)
    assert counts(site) == [(2, MOST_RESIGNATIONS, 0)]
    have(site)
    end_a_worker(site)
    assert counts(site) == [(3, MOST_RESIGNATIONS, 1)]
    (attempt,) = site.runtime.ask.details(token).attempts
    expected = "More than 10 workers ended by themselves while they ran this task."
    assert (attempt.code, attempt.error) == (Code.WORKER_LOST, expected)
    have(site, losses=MOST_LOSSES - 1)
    end_a_worker(site)
    assert (site.task(token).state, site.task(token).code) == (State.FAILED, Code.WORKER_LOST)
    site.runtime.reopen([token])
    assert counts(site) == [(4, 0, 0)]
