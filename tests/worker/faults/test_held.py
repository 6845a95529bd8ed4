"""Outcomes that cannot be written now: they are held, or put aside, and none of them is lost."""

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
from tests.worker.faults.site import Site


@contextmanager
def write_lock_held(site: Site) -> Iterator[None]:
    """Hold the write lock, as a process of ours does that hangs in the middle of writing."""
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
    site.require_one_end_each()
    site.require_clean_redis()


def test_what_a_run_says_of_itself_while_the_database_is_locked_is_kept(site: Site, tmp_path: Path) -> None:
    worker = site.start()
    (token,) = site.send("hard.says", [str(tmp_path / "gate")])
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
    """Let a sweeper alone find what was put aside, as in a system whose worker is not there yet."""
    stopping = threading.Event()
    sweeper = threading.Thread(target=sweep_until, args=[stopping, site.runtime])
    sweeper.start()
    site.await_(lambda: site.count(State.FINISHED))
    stopping.set()
    sweeper.join()


def work_until_written(site: Site) -> None:
    """Let a worker alone find it."""
    worker = site.start()
    site.await_(lambda: site.count(State.FINISHED))
    site.await_(lambda: site.log.count(" started name=") == 2)  # so that it hears signals
    site.stop(worker)


@pytest.mark.parametrize("write", [sweep_until_written, work_until_written])
def test_outcomes_that_a_worker_cannot_write_before_its_end_are_written_after_it(
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
        site.await_(lambda: any(folder.glob("*.json")), within=1 + 5 + 3)
        assert worker.wait(20) == 0
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
    site.require_one_end_each()
    site.require_clean_redis()


def test_tickets_that_a_worker_cannot_claim_before_its_end_go_back_in_their_order(site: Site) -> None:
    worker = site.start(DRAIN="0")
    site.await_(lambda: "started name=" in site.log)
    suspend(site.redis)
    sent = site.sleepers(10)
    with site.locked():
        resume(site.redis)
        site.await_(lambda: site.started() == set(sent))
        worker.terminate()
        site.await_(lambda: Queue("default", connection=site.redis).job_ids == sent)
    assert worker.wait(30) == 0
    assert site.started() == set()
    next_one = site.start()
    site.await_end()
    site.stop(next_one)
    assert site.rows("SELECT DISTINCT state, run, losses FROM tasks") == [("finished", 1, 0)]
    site.require_one_end_each()
    site.require_clean_redis()


@pytest.mark.parametrize("text", ["", "{}", '{"owner": 1, "outcomes": [{"of": "another version"}]}'])
def test_what_cannot_be_read_is_kept_and_stops_nobody(site: Site, text: str) -> None:
    folder = site.runtime.settings.data_dir / FOLDER
    folder.mkdir()
    (folder / "1-1.json").write_text(text)
    site.runtime.settle_put_aside()
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("1-1.unreadable", text)]
    site.runtime.settle_put_aside()
