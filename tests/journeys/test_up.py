"""`queue-tool up`: from POST to "Finalizado", also when Redis is wiped or processes are killed."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from rq.job import Job
from rq.serializers import JSONSerializer

from queue_tool.model.access import EVERYONE_HERE
from tests.support import (
    LIMIT,
    System,
    clean_environment,
    eventually,
    http,
    items,
    redis_of,
    run_command,
    sent_from_python,
    tokens,
)
from tests.warm import interpreter


def all_finished(system: System, wanted: list[str]) -> bool:
    found = http("POST", system.url("/check"), {"tokens": wanted}).json["results"]
    return all(result["status"] == "finished" for result in found)


def test_a_system_is_ready_before_its_first_task_and_runs_the_example_to_finalizado(system: System) -> None:
    eventually(lambda: http("GET", system.url("/health/ready")).status == 200)
    eventually(lambda: " ready open=" in system.log)
    (warning, ready) = [line for line in system.log.splitlines() if EVERYONE_HERE in line]
    assert "warning web[" in warning
    assert " ready open=" in ready
    answer = system.post([{"item": "item01", "valor": 1}, {"item": "Teste1", "valor": "10"}])
    good, bad = tokens(answer)
    assert bad == "INVALID_JOB_REQUEST"
    assert system.check(good)["message"] == "Em processamento"
    ended = system.await_status(good, "finished")
    assert ended["message"] == "Finalizado"
    assert ended["duration"] >= 1
    batch = http("GET", system.url(answer.headers["location"])).json
    assert batch["counts"] | {"finished": 1, "rejected": 1} == batch["counts"]
    with redis_of(system) as redis:  # Redis holds nothing of an ended task
        eventually(lambda: not redis.keys(f"*{good}*"))
        assert not [key for key in redis.scan_iter() if redis.type(key) == b"zset" and redis.zcard(key)]


@pytest.mark.sqlite
def test_a_queued_task_is_an_rq_job(stopped_system: System) -> None:
    system = stopped_system
    system.settings["CONCURRENCY"] = "1"
    system.start()
    first, second = tokens(system.post(items(2, valor=3600)))
    system.await_status(first, "running")
    with redis_of(system) as redis:
        job = Job.fetch(second, connection=redis, serializer=JSONSerializer)
        assert (job.origin, job.get_status().value) == ("default", "queued")


def test_a_wiped_redis_loses_nothing(lasting_system: System) -> None:
    system = lasting_system
    wanted = tokens(system.post(items(30, valor=0.05)))
    system.await_status(wanted[3], "finished")
    with redis_of(system) as redis:
        redis.flushall()
    eventually(lambda: all_finished(system, wanted))


@pytest.mark.sqlite
def test_tasks_above_the_push_limit_stay_in_the_database_and_all_of_them_end(stopped_system: System) -> None:
    system = stopped_system
    system.settings["MAX_PUSHED"] = "50"
    system.start()
    wanted = [token for _ in range(3) for token in tokens(system.post(items(400)))]
    eventually(lambda: all_finished(system, wanted))


@pytest.mark.sqlite
def test_a_task_that_kills_its_worker_fails_and_its_neighbors_finish(stopped_system: System) -> None:
    system = stopped_system
    (system.directory / "mytasks.py").write_text(
        "import os\nfrom queue_tool import task\n"
        "@task('plain')\ndef plain(data): return 'plain'\n"
        "@task('apart')\ndef apart(data): os._exit(9)\n"
    )
    system.settings["TASKS"] = "mytasks"
    system.start()
    plain, deadly = sent_from_python(system, "plain", "apart")
    assert system.await_status(deadly, "failed")["error"]["code"] == "worker_lost"
    assert system.await_status(plain, "finished")["result"] == "plain"
    (after,) = tokens(system.post(items(1)))
    system.await_status(after, "finished")


@pytest.mark.sqlite
def test_a_task_that_does_not_end_within_the_drain_is_put_back(stopped_system: System) -> None:
    system = stopped_system
    system.settings["DRAIN"] = "1"
    system.start()
    (token,) = tokens(system.post(items(1, valor=3600)))
    system.await_status(token, "running")
    assert system.stop() == 0
    assert "task put back" in system.log
    assert not system.pids()


@pytest.mark.sqlite
def test_a_stock_rq_worker_runs_the_tasks(stopped_system: System) -> None:
    system = stopped_system
    system.settings["WORKERS"] = "0"
    system.start()
    wanted = tokens(system.post(items(3)))
    url = run_command("redis-url", cwd=system.directory).stdout.strip()
    rq = Path(sys.executable).with_name("rq")
    words: list[str | Path] = [rq, "worker", "-S", "json", "-u", url, "--burst", "high", "default", "low"]
    environment = clean_environment(**system.settings)
    ended = interpreter().run(words, cwd=system.directory, env=environment, timeout=LIMIT)
    assert ended.returncode == 0, ended.stderr
    assert all_finished(system, wanted)
    with redis_of(system) as redis:
        assert not [key for token in wanted for key in redis.keys(f"*{token}*")]


@pytest.mark.sqlite
def test_a_stock_work_horse_killed_during_a_task_loses_nothing(stopped_system: System) -> None:
    system = stopped_system
    system.settings["WORKERS"] = "0"
    system.start()
    url = run_command("redis-url", cwd=system.directory).stdout.strip()
    rq = Path(sys.executable).with_name("rq")
    words: list[str | Path] = [rq, "worker", "-S", "json", "-u", url, "high", "default", "low"]
    environment = clean_environment(**system.settings)
    with (system.directory / "rq.log").open("wb") as log:
        worker = interpreter().start(words, cwd=system.directory, env=environment, stdout=log, stderr=log)
    try:
        (token,) = tokens(system.post(items(1, valor=1)))
        system.await_status(token, "running")
        (horse,) = system.children(worker.pid)
        os.kill(horse, signal.SIGKILL)
        assert system.await_status(token, "finished")["attempt"] == 1
    finally:
        worker.terminate()
        worker.wait(LIMIT)


@pytest.mark.sqlite
def test_the_users_own_task_types_run_in_their_lanes(stopped_system: System) -> None:
    system = stopped_system
    (system.directory / "mytasks.py").write_text(
        "from queue_tool import task\n"
        "@task('plain')\n"
        "def plain(data):\n"
        "    return 'plain'\n"
        "@task('apart', isolated=True, timeout=1)\n"
        "def apart(data):\n"
        "    while True: pass\n"
    )
    system.settings["TASKS"] = "mytasks"
    system.start()
    plain, apart = sent_from_python(system, "plain", "apart")
    assert system.await_status(plain, "finished")["result"] == "plain"
    assert system.await_status(apart, "failed")["error"]["code"] == "timeout"
