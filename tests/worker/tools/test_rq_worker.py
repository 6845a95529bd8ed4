"""Workers that RQ's own command starts: our class, and RQ's classes beside our worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from queue_tool.model.queues import LISTS
from queue_tool.model.states import State
from tests.support import LIMIT, run_command
from tests.worker.tools.place import ALL, OURS, RQ, Place

SENT = {"sleep": "default", "urgent": "high", "patient": "low"} | {
    "urgent.in-a-thread": "high.threads",
    "patient.alone": "low.isolated",
}
"""The list that holds the tickets of each task type."""


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("queues", "left"),
    [
        (["high", "default", "low"], []),
        (["default", "low"], ["urgent", "urgent.in-a-thread"]),
        (["high.threads"], ["patient", "patient.alone", "sleep", "urgent"]),
        ([], ["patient", "patient.alone", "urgent", "urgent.in-a-thread"]),  # RQ's default is `default`
    ],
)
def test_in_burst_mode_a_worker_ends_when_its_lists_are_empty(place: Place, queues: list[str], left: list[str]) -> None:
    place.sleepers(40)
    for task_type in SENT.keys() - {"sleep"}:
        place.send(task_type, [None] * 2)
    worker = place.start_rq("-S", "json", "--burst", *queues, TASKS=ALL)
    assert worker.wait(LIMIT) == 0, place.log
    unfinished = "SELECT DISTINCT task_type FROM tasks WHERE state <> 'finished' ORDER BY task_type"
    assert [name for (name,) in place.rows(unfinished)] == left
    assert place.started() == set()
    assert {name for name in LISTS if len(place.queue(name))} == {SENT[name] for name in left}
    assert place.rqs_workers() == []
    assert place.keys("rq:workers*") == set()


@pytest.mark.sqlite
def test_a_worker_ends_after_max_jobs_tasks(place: Place) -> None:
    tokens = place.sleepers(20)
    worker = place.start_rq("--max-jobs", "7", "default")
    assert worker.wait(LIMIT) == 0, place.log
    assert (place.count(State.FINISHED), place.count(State.QUEUED)) == (7, 13)
    assert place.queue().job_ids == tokens[7:]
    assert place.jobs() == set(tokens[7:])


@pytest.mark.sqlite
def test_a_worker_reads_its_settings_from_the_directory_where_it_is_started(place: Place) -> None:
    tokens = place.sleepers(3)
    (place.directory / ".env").write_text(
        f"QUEUE_TOOL_DATA_DIR={place.runtime.settings.data_dir}\nQUEUE_TOOL_REDIS_URL={place.redis_url}\n"
    )
    words = ["worker", "-u", place.redis_url, "-S", "json", "-w", OURS, "--burst", "high", "default", "low"]
    ended = run_command(*words, cwd=place.directory, program=[RQ])
    assert ended.returncode == 0, ended.stderr
    assert place.tokens(State.FINISHED) == set(tokens)


# Each task of `Worker` runs in a fork, which must not use the connection to PostgreSQL that it inherits.
@pytest.mark.parametrize("kind", [pytest.param("rq.worker.SimpleWorker", marks=pytest.mark.sqlite), "rq.worker.Worker"])
def test_rqs_own_workers_share_the_lists_with_ours_and_each_task_ends_once(place: Place, gate: Path, kind: str) -> None:
    ours = place.start(CONCURRENCY="1", THREADS="1")
    stock = place.start_rq("-S", "json", "default", "default.threads", kind=kind)
    place.await_(lambda: len(place.rqs_workers()) == 2)
    gate.touch()
    tokens = [*place.sleepers(30, valor=0.05), *place.send("waits.threads", [str(gate)] * 10)]
    place.await_state(tokens, State.FINISHED)
    place.await_forgotten(*tokens)
    owners = place.rows("SELECT count(DISTINCT owner) FROM claims")
    assert owners == [(2,)]  # all forks of a worker of RQ's are one owner
    for worker in (ours, stock):
        place.stop(worker)
    place.require_each_task_ended_once()


KINDS = ("SimpleWorker", "Worker", "SpawnWorker", "RandomWorker", "RoundRobinWorker", "HerokuWorker")


@pytest.mark.sqlite  # the test above has the one that forks on both databases; the others differ in no use of it
@pytest.mark.parametrize("kind", KINDS)
def test_every_worker_class_of_rq_runs_all_tickets_of_one_push(place: Place, kind: str) -> None:
    tokens = place.sleepers(3)
    stock = place.start_rq("-S", "json", "--burst", "default", kind=f"rq.worker.{kind}")
    assert stock.wait(LIMIT) == 0
    assert place.tokens(State.FINISHED) == set(tokens)
    place.require_each_task_ended_once()
    assert place.rows("SELECT kind, pid, name FROM workers") == [("worker", stock.pid, "")]
    place.sweep()
    assert place.rows("SELECT count(*) FROM workers WHERE gone_at IS NULL") == [(0,)]
