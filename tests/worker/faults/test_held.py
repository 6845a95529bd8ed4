"""Outcomes that cannot be written now: the worker holds them or puts them aside in a file, and none is lost."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from rq import Queue
from rq.suspension import resume, suspend

from queue_tool.host.put_aside import FOLDER
from queue_tool.model.states import State
from queue_tool.supervisor.sweeping import sweep_until
from tests.support import LIMIT
from tests.worker.faults.site import Site


@contextmanager
def write_lock_held(site: Site) -> Iterator[None]:
    """Hold the write lock, as one of our processes does if it hangs during a write."""
    path = site.runtime.store.database.path
    with path.with_name(f"{path.name}.write-lock").open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


LOCKS: dict[str, Callable[[Site], AbstractContextManager[None]]] = {
    "by a transaction": Site.locked,
    "by the write lock": write_lock_held,
}


@pytest.mark.parametrize("lock", ["by a transaction", pytest.param("by the write lock", marks=pytest.mark.sqlite)])
def test_outcomes_are_held_while_the_database_is_locked(site: Site, tmp_path: Path, lock: str) -> None:
    gate = tmp_path / "gate"
    worker = site.start(CONCURRENCY="20")
    running = site.send("hard.until", [str(gate)] * 20)
    site.await_(lambda: site.count(State.RUNNING) == len(running))
    waiting = site.sleepers(10)
    with LOCKS[lock](site):
        gate.touch()
        site.await_(lambda: "outcome delayed" in site.log)
        assert site.tokens(State.RUNNING) == set(running)
        assert site.jobs() == {*running, *waiting}
    site.await_end()
    site.stop(worker)
    assert site.rows("SELECT DISTINCT state, run, losses FROM tasks") == [("finished", 1, 0)]
    site.require_each_task_ended_once()
    site.require_clean_redis()


def test_progress_and_log_lines_reported_while_the_database_is_locked_are_stored(site: Site, tmp_path: Path) -> None:
    worker = site.start()
    (token,) = site.send("hard.reports", [str(tmp_path / "gate")])
    site.await_(lambda: site.count(State.RUNNING) == 1)
    with site.locked():
        (tmp_path / "gate").touch()
        site.await_(lambda: "outcome delayed" in site.log)
    site.await_(lambda: site.task(token).progress == 0.5)
    assert site.rows("SELECT run, text FROM events") == [(1, "it is there")]
    (tmp_path / "gate end").touch()
    site.await_end()
    site.stop(worker)


def sweep_until_written(site: Site) -> None:
    """Let only a sweeper find the outcomes that were put aside, as if no worker had started yet."""
    stopping = threading.Event()
    sweeper = threading.Thread(target=sweep_until, args=[stopping, site.runtime])
    sweeper.start()
    site.await_(lambda: site.count(State.FINISHED))
    stopping.set()
    sweeper.join()


def work_until_written(site: Site) -> None:
    """Let only a worker find the outcomes that were put aside."""
    worker = site.start()
    site.await_(lambda: site.count(State.FINISHED))
    site.await_(lambda: site.log.count(" started name=") == 2)  # only then does it handle signals
    site.stop(worker)


@pytest.mark.parametrize("write", [pytest.param(sweep_until_written, marks=pytest.mark.sqlite), work_until_written])
def test_outcomes_that_a_worker_cannot_write_before_it_ends_are_written_later(
    site: Site, tmp_path: Path, write: Callable[[Site], None]
) -> None:
    gate = tmp_path / "gate"
    worker = site.start(DRAIN="1")
    ends = site.send("hard.until", [str(gate)] * 20)
    long = site.send("hard.first-run-is-long", range(5))
    site.await_(lambda: site.count(State.RUNNING) == len(ends + long))
    folder = site.runtime.settings.data_dir / FOLDER
    with site.locked():
        gate.touch()
        worker.terminate()
        site.await_(lambda: any(folder.glob("*.json")))
        assert worker.wait(LIMIT) == 0
    write(site)
    assert list(folder.iterdir()) == []
    assert site.tokens(State.FINISHED) == set(ends)
    last = site.start()
    site.await_end()
    site.stop(last)
    assert site.rows("SELECT DISTINCT task_type, state, run, attempt, losses FROM tasks ORDER BY run") == [
        ("hard.until", "finished", 1, 1, 0),
        ("hard.first-run-is-long", "finished", 2, 1, 0),
    ]
    site.require_each_task_ended_once()
    site.require_clean_redis()


@pytest.mark.sqlite  # the database plays no part here, so once is enough
def test_tickets_that_a_worker_cannot_claim_before_it_ends_return_in_their_order(site: Site) -> None:
    worker = site.start(DRAIN="0")
    site.await_(lambda: "started name=" in site.log)
    suspend(site.redis)
    sent = site.sleepers(10)
    with site.locked():
        resume(site.redis)
        site.await_(lambda: site.started() == set(sent))
        worker.terminate()
        site.await_(lambda: Queue("default", connection=site.redis).job_ids == sent)
    assert worker.wait(LIMIT) == 0
    assert site.started() == set()
    next_one = site.start()
    site.await_end()
    site.stop(next_one)
    assert site.rows("SELECT DISTINCT state, run, losses FROM tasks") == [("finished", 1, 0)]
    site.require_each_task_ended_once()
    site.require_clean_redis()


@pytest.mark.sqlite  # the database plays no part here, so once is enough
@pytest.mark.parametrize("text", ["", "{}", '{"owner": 1, "outcomes": [{"of": "another version"}]}'])
def test_an_unreadable_file_of_outcomes_is_kept_under_another_name(site: Site, text: str) -> None:
    folder = site.runtime.settings.data_dir / FOLDER
    folder.mkdir()
    (folder / "1-1.json").write_text(text)
    site.runtime.settle_put_aside()
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("1-1.unreadable", text)]
    site.runtime.settle_put_aside()
