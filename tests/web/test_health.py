"""`/health`: whether the process answers, and whether the system can run tasks."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from socket import gethostname

from flask.testing import FlaskClient

from queue_tool.model.batch import new_batch
from queue_tool.runtime import Runtime
from queue_tool.services.submit import make_tokens
from queue_tool.store import Process
from tests.adding import add_to


def test_a_running_process_is_live(client: FlaskClient) -> None:
    answer = client.get("/health/live")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_without_a_worker_the_system_is_not_ready_and_the_answer_names_the_part(client: FlaskClient) -> None:
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["status"] == "unavailable"
    checks = answer.json["checks"]
    assert (checks["database"], checks["broker"]) == ("ok", "ok")
    assert "queue-tool worker" in checks["workers"]


def test_with_a_live_worker_the_system_is_ready(client: FlaskClient, runtime: Runtime) -> None:
    runtime.owner.id()
    answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json == {"status": "ok", "checks": {"database": "ok", "broker": "ok", "workers": "ok"}, "lag": 0.0}


def test_a_worker_that_died_here_does_not_count(client: FlaskClient, runtime: Runtime) -> None:
    mine = runtime.store.workers
    runtime.owner.id()
    (alive,) = mine.all()
    runtime.owner.leave()
    dead = Process(
        kind="worker",
        host=alive.process.host,
        machine=alive.process.machine,
        pid=alive.process.pid,
        pid_started="long ago",
    )
    mine.register(dead, runtime.clock.now())
    assert client.get("/health/ready").status_code == 503


def test_a_worker_that_cannot_work_says_why(client: FlaskClient, runtime: Runtime) -> None:
    runtime.owner.id()
    runtime.owner.report("its event loop has not turned for 12 seconds")
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json and answer.json["status"]) == (503, "unavailable")
    assert answer.json is not None
    assert f"{os.getpid()} on {gethostname()}: its event loop has not turned" in answer.json["checks"]["workers"]


def test_inline_the_system_is_ready_without_a_worker(inline_client: FlaskClient) -> None:
    assert inline_client.get("/health/ready").status_code == 200


def test_the_lag_is_how_long_the_oldest_task_has_waited(client: FlaskClient, runtime: Runtime) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    tokens = make_tokens(2, long_ago)
    add_to(runtime.store, new_batch([{"item": "a", "valor": 0}], runtime.of_type("sleep"), tokens, long_ago))
    assert 3600 <= client.get("/health/ready").json["lag"] < 3700  # type: ignore[index] # the body is an object
