"""Our worker as RQ's own tools see it and speak to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rq import Queue, SimpleWorker
from rq.command import send_kill_horse_command, send_shutdown_command, send_stop_job_command
from rq.job import Job
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer
from rq.worker import BaseWorker

from queue_tool.tasks import LISTS, State
from tests.worker import talking
from tests.worker.faults.site import Site, is_alive

LANES = ["loop", "threads", "isolated"]
TALKING = talking.__name__
RQ = str(Path(sys.executable).with_name("rq"))


def rq(site: Site, *words: str) -> str:
    """Run a command of RQ's on the site's Redis; return what it says."""
    ended = subprocess.run([RQ, *words, "-u", site.redis_url], capture_output=True, text=True, timeout=60, check=True)
    return ended.stdout


def send_talking(site: Site, lane: str, place: Path) -> str:
    (token,) = site.send(f"talking.{lane}", [str(place)])
    return token


def fetched(site: Site, token: str) -> Job:
    return Job.fetch(token, connection=site.redis, serializer=JSONSerializer)


def workers(site: Site) -> list[BaseWorker]:
    return BaseWorker.all(connection=site.redis, serializer=JSONSerializer)


def await_shown(site: Site, token: str) -> None:
    site.await_(lambda: fetched(site, token).worker_name)


def await_talk(site: Site, token: str) -> None:
    """Wait until a task's function is on its way and RQ's tools know of it."""
    await_shown(site, token)
    site.await_(lambda: site.task(token).progress == 0.5)


def test_rq_info_lists_it_and_harms_nothing(site: Site) -> None:
    worker = site.start()
    tokens = site.sleepers(20, valor=1.5)
    await_shown(site, tokens[-1])
    said = rq(site, "info")
    assert "1 workers" in said
    assert "busy high, high.threads, high.isolated, default" in said
    assert "20 executing" in said
    registry = StartedJobRegistry("default", connection=site.redis)
    assert len(registry) == 20  # RQ cleans up when it counts
    registry.cleanup()
    SimpleWorker(["default"], connection=site.redis).clean_registries()
    site.await_end()
    assert site.tokens(State.FINISHED) == set(tokens)
    site.stop(worker)
    site.require_one_end_each()
    site.require_clean_redis()


def test_while_it_is_suspended_nothing_new_starts_and_what_runs_goes_on(site: Site) -> None:
    worker = site.start()
    (running,) = site.sleepers(1, valor=1)
    site.await_(lambda: site.tokens(State.RUNNING) == {running})
    rq(site, "suspend")
    (waiting,) = site.sleepers(1)
    site.await_(lambda: site.task(running).state is State.FINISHED)
    assert site.task(waiting).state is State.QUEUED
    assert site.jobs() >= {waiting}
    rq(site, "resume")
    site.await_(lambda: site.task(waiting).state is State.FINISHED)
    site.stop(worker)


@pytest.mark.parametrize("lane", LANES)
def test_rqs_stop_job_cancels_a_task(site: Site, tmp_path: Path, lane: str) -> None:
    worker, place = site.start(TASKS=TALKING), tmp_path / "place"
    token = send_talking(site, lane, place)
    await_talk(site, token)
    send_stop_job_command(site.redis, token, serializer=JSONSerializer)
    site.await_(lambda: site.task(token).state is State.CANCELED)
    assert (site.task(token).canceled_by, site.task(token).cancel_reason) == ("rq", "stop-job")
    require_stopped(site, lane, place)
    site.await_(lambda: not site.jobs() and not site.started())
    site.stop(worker)
    site.require_one_end_each()
    site.require_clean_redis()


@pytest.mark.parametrize("lane", LANES)
def test_a_task_that_is_canceled_elsewhere_stops_here(site: Site, tmp_path: Path, lane: str) -> None:
    worker, place = site.start(TASKS=TALKING), tmp_path / "place"
    token = send_talking(site, lane, place)
    await_talk(site, token)
    (ticket,) = site.runtime.cancel([token], by="me", reason="no longer wanted").tickets
    assert (ticket.token, site.task(token).canceled_by) == (token, "me")
    require_stopped(site, lane, place)
    assert site.runtime.cancel([token]).tickets == ()
    site.stop(worker)
    site.require_one_end_each()
    site.require_clean_redis()


@pytest.mark.parametrize("lane", LANES)
def test_a_task_that_is_canceled_before_it_has_begun_never_begins(site: Site, tmp_path: Path, lane: str) -> None:
    worker = site.start(TASKS=TALKING, THREADS="1", CONCURRENCY="1")
    first = send_talking(site, lane, tmp_path / "first")
    site.await_(lambda: site.task(first).state is State.RUNNING)
    site.runtime.cancel([first])
    second = send_talking(site, lane, tmp_path / "second")  # there is one slot
    await_talk(site, second)
    site.runtime.cancel([second])
    site.stop(worker)
    site.require_one_end_each()
    site.require_clean_redis()


def require_stopped(site: Site, lane: str, place: Path) -> None:
    if lane == "isolated":
        site.await_(lambda: place.exists() and not is_alive(int(place.read_text())))
    else:
        site.await_(lambda: place.exists() and place.read_text() == "stopped")


@pytest.mark.parametrize("lane", LANES)
def test_what_a_run_says_of_itself_is_kept(site: Site, tmp_path: Path, lane: str) -> None:
    site.start(TASKS=TALKING)
    token = send_talking(site, lane, tmp_path / "place")
    site.await_(lambda: (site.task(token).progress, site.task(token).note) == (0.5, "half"))
    assert site.rows("SELECT token, run, text FROM events ORDER BY id") == [(token, 1, "first"), (token, 1, "second")]


def test_the_command_to_shut_down_ends_it_after_its_tasks_and_the_one_for_horses_is_nothing_to_it(site: Site) -> None:
    worker = site.start()
    (token,) = site.sleepers(1, valor=0.5)
    await_shown(site, token)
    (known,) = workers(site)
    send_kill_horse_command(site.redis, known.name)
    send_shutdown_command(site.redis, known.name)
    assert worker.wait(30) == 0
    assert site.task(token).state is State.FINISHED
    assert workers(site) == []


def test_a_started_ticket_is_written_as_rq_itself_writes_it(site: Site) -> None:
    site.start()
    (token,) = site.sleepers(1, valor=3600)
    await_shown(site, token)
    ours = seen(site.redis, token, "default")
    theirs = Queue("theirs", connection=site.redis, serializer=JSONSerializer).enqueue("os.getpid")
    stock = SimpleWorker(["theirs"], connection=site.redis, serializer=JSONSerializer)
    stock.register_birth()
    stock.prepare_execution(theirs)
    stock.prepare_job_execution(theirs)
    assert shape(ours) == shape(seen(site.redis, theirs.id, "theirs"))
    assert fetched(site, token).get_status() == theirs.get_status() == "started"
    (mine,) = [each for each in workers(site) if each.name == fetched(site, token).worker_name]
    assert [each.job_id for each in mine.get_current_executions()] == [token]
    assert StartedJobRegistry("default", connection=site.redis).get_job_ids(cleanup=False) == [token]


def seen(redis: Any, job_id: str, queue: str) -> dict[str, dict[str, str]]:
    """Return the hashes of a started job, and see that it stands in every registry of RQ's."""
    (entry,) = (each.decode() for each in redis.zrange(f"rq:wip:{queue}", 0, -1))
    execution, worker = entry.partition(":")[2], redis.hget(f"rq:job:{job_id}", "worker_name").decode()
    assert redis.zscore(f"rq:executions:{job_id}", execution) is not None
    assert redis.sismember(f"rq:worker:{worker}:executions", entry)
    return {
        "job": decoded(redis.hgetall(f"rq:job:{job_id}")),
        "execution": decoded(redis.hgetall(f"rq:execution:{entry}")),
    }


def decoded(fields: dict[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): text.decode("latin-1") for name, text in fields.items()}


def shape(found: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Return the fields with what kind of text each of them holds."""
    kept = {"status", "started_at", "last_heartbeat", "worker_name", "id", "job_id", "created_at"}
    return {
        name: {field: kind(text) for field, text in fields.items() if field in kept} for name, fields in found.items()
    }


def kind(text: str) -> str:
    if text == "started":
        return text
    if text.endswith("Z") and text[4] == "-":
        return f"a time of {len(text)} characters"
    return "a number" if text.replace(".", "", 1).isdecimal() else "an id"


def test_a_job_that_is_no_ticket_is_failed_and_holds_nothing_up(site: Site) -> None:
    Queue("default", connection=site.redis, serializer=JSONSerializer).enqueue("os.getpid", job_id="json")
    Queue("default", connection=site.redis).enqueue(os.getpid, job_id="pickle")
    site.redis.rpush("rq:queue:default", "nothing-of-this-name")
    (token,) = site.sleepers(1)
    worker = site.start()
    site.await_end()
    assert site.task(token).state is State.FINISHED
    failed = FailedJobRegistry("default", connection=site.redis)
    site.await_(lambda: set(failed.get_job_ids(cleanup=False)) == {"json", "pickle"})
    result = fetched(site, "json").latest_result()
    assert result is not None
    assert "no ticket of Queue Tool" in str(result.exc_string)
    site.await_(lambda: not site.started())
    site.stop(worker)


@pytest.mark.parametrize(
    ("options", "finished"),
    [
        (["-S", "json", "--burst", "high", "default", "low"], 6),
        (["--burst", "high", "low"], 2),
        (["--max-jobs", "2", "default"], 2),
        (["--burst", "default.threads"], 0),
        (["--burst", "default.isolated"], 0),
    ],
)
def test_rqs_own_command_starts_it(site: Site, options: list[str], finished: int) -> None:
    site.sleepers(4)
    site.send("talking.high", [None])
    site.send("talking.low", [None])
    worker = site.start(RQ, "worker", "-u", site.redis_url, "-w", "queue_tool.worker.Worker", *options, TASKS=TALKING)
    assert worker.wait(30) == 0, site.log
    assert site.count(State.FINISHED) == finished
    assert len(site.keys("rq:workers:*")) == 0
    assert site.started() == set()
    assert site.log.count("subscribing to channel") == 1


def test_rqs_own_workers_work_beside_it_and_each_task_ends_once(site: Site) -> None:
    ours = site.start()
    stock = site.start(RQ, "worker", "-S", "json", "-u", site.redis_url, "-w", "rq.worker.SimpleWorker", "default")
    site.await_(lambda: len(workers(site)) == 2)
    site.sleepers(300, valor=0.01)
    site.await_end()
    site.stop(ours)
    stock.send_signal(signal.SIGTERM)
    stock.wait(30)
    site.require_one_end_each()
    assert site.count(State.FINISHED) == 300


def test_the_urgent_go_first(site: Site) -> None:
    (held,) = site.sleepers(1, valor=0.5)
    site.start(CONCURRENCY="1", TASKS=TALKING)
    site.await_(lambda: site.task(held).state is State.RUNNING)
    site.send("talking.low", [None] * 3)
    site.sleepers(3)
    site.send("talking.high", [None] * 3)
    site.await_end()
    order = [name for (name,) in site.rows("SELECT task_type FROM tasks ORDER BY started_at, id")]
    assert order == ["sleep", *["talking.high"] * 3, *["sleep"] * 3, *["talking.low"] * 3]


def test_a_full_lane_holds_up_no_other(site: Site, tmp_path: Path) -> None:
    site.start(THREADS="2", ISOLATED="1", TASKS=TALKING)
    for lane in ("threads", "isolated"):
        for number in range(4):
            send_talking(site, lane, tmp_path / f"{lane}{number}")
    site.await_(lambda: site.count(State.RUNNING) == 3)
    tokens = site.sleepers(50)
    site.await_(lambda: site.tokens(State.FINISHED) == set(tokens))


def test_a_worker_that_redis_has_forgotten_comes_back_by_itself(site: Site) -> None:
    worker = site.start()
    site.await_(lambda: workers(site))
    site.redis.flushall()
    site.await_(lambda: [each.queue_names() for each in workers(site)] == [list(LISTS)])
    (token,) = site.sleepers(1)
    site.await_(lambda: site.task(token).state is State.FINISHED)
    site.stop(worker)
    assert workers(site) == []


def test_a_task_costs_less_than_one_command_and_hardly_a_round_trip(site: Site) -> None:
    count = 5000
    site.sleepers(count)
    before = stats(site)
    worker = site.start("-m", "queue_tool", "worker")
    site.await_(lambda: not site.open())
    site.await_(lambda: not site.started())
    site.stop(worker)
    after = stats(site)
    assert (after["total_commands_processed"] - before["total_commands_processed"]) / count < 1
    assert (after["total_reads_processed"] - before["total_reads_processed"]) / count < 0.1  # our own looks included


def stats(site: Site) -> Any:
    return site.redis.info("stats")
