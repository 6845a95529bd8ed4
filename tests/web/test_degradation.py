"""The answers that a client gets when Redis or the database is unavailable."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from queue_tool.model import events
from queue_tool.runtime import Runtime
from queue_tool.web import create_app
from tests.conftest import News, RuntimeFactory
from tests.conftest import testing as with_errors_as_users_get_them
from tests.past_the_store import locked
from tests.support import free_port

GOOD = {"item": "a", "valor": 1}


@pytest.fixture(params=["socket", "port"])
def away(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a Redis that does not exist."""
    return f"unix://{tmp_path}/none.sock" if request.param == "socket" else f"redis://127.0.0.1:{free_port()}"


@pytest.fixture
def without_redis(make_runtime: RuntimeFactory, away: str) -> FlaskClient:
    """A client of an application whose Redis is unavailable."""
    return with_errors_as_users_get_them(create_app(make_runtime(REDIS_URL=away))).test_client()


def test_without_redis_a_batch_is_still_accepted(without_redis: FlaskClient, news: News) -> None:
    for _ in range(2):
        answer = without_redis.post("/api", json=[GOOD, 1])
        assert answer.status_code == 200
        assert answer.json is not None
        good, bad = answer.json["processing_items"]
        assert bad["hash"] == "INVALID_JOB_REQUEST"
        found = without_redis.get(f"/check/{good['hash']}").json
        assert found is not None
        assert (found["message"], found["status"]) == ("Em processamento", "queued")
        assert without_redis.get(answer.headers["Location"]).status_code == 200
    assert len(news.of(events.PushPostponed)) == 2


def test_without_redis_the_page_is_served_and_its_form_works(without_redis: FlaskClient) -> None:
    assert without_redis.get("/").status_code == 200
    answer = without_redis.post("/", data={"items": '[{"item": "a", "valor": 1}]'}, follow_redirects=True)
    assert (answer.status_code, 'href="/dashboard/tasks/' in answer.text) == (200, True)


def test_without_redis_the_process_is_live_and_the_system_is_not_ready(without_redis: FlaskClient) -> None:
    assert without_redis.get("/health/live").status_code == 200
    answer = without_redis.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["checks"]["database"] == "ok"
    assert "Redis" in answer.json["checks"]["broker"]


def test_without_redis_a_repeated_request_gets_the_first_answer(without_redis: FlaskClient) -> None:
    first, again = (without_redis.post("/api", json=[GOOD], headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert first.status_code == 200
    assert first.data == again.data


def test_while_the_database_is_locked_writes_are_503_and_reads_succeed(hasty: Runtime) -> None:
    app, runtime = with_errors_as_users_get_them(create_app(hasty)), hasty
    client = app.test_client()
    first = client.post("/api", json=[GOOD]).json
    assert first is not None
    runtime.owner.id()
    answers: dict[str, Any] = {}

    def write(name: str, **sent: Any) -> None:
        answers[name] = app.test_client().post(**sent)

    threads = [
        threading.Thread(target=write, args=["api"], kwargs={"path": "/api", "json": [GOOD]}),
        threading.Thread(target=write, args=["form"], kwargs={"path": "/", "data": {"items": "[1]"}}),
        threading.Thread(
            target=write, args=["key"], kwargs={"path": "/api", "json": [], "headers": {"Idempotency-Key": "k"}}
        ),
    ]
    with locked(runtime.store.database.url):
        for thread in threads:
            thread.start()
        found = client.get(f"/check/{first['processing_items'][0]['hash']}")
        assert found.status_code == 200
        assert client.get(f"/batches/{first['batch']}").status_code == 200
        assert client.post("/check", json={"tokens": ["0" * 32]}).status_code == 200
        assert client.get("/").status_code == 200
        assert client.get("/health/ready").status_code == 200
        for thread in threads:
            thread.join()
    for name in ("api", "key"):
        answer = answers[name]
        assert (answer.status_code, answer.json["code"]) == (503, "store_away"), name
        assert int(answer.headers["Retry-After"]) >= 1
        assert "sqlite" not in answer.text.lower()
    assert answers["form"].status_code == 503
    assert 'role="alert"' in answers["form"].text
    assert runtime.store.totals().batches == 1
    assert client.post("/api", json=[GOOD], headers={"Idempotency-Key": "k"}).status_code == 200


@pytest.mark.sqlite
def test_a_file_that_is_not_a_database_is_503_and_not_ready(make_runtime: RuntimeFactory) -> None:
    runtime = make_runtime()
    path = runtime.store.database.path
    runtime.store.close()
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    path.write_bytes(b"this is no database " * 1000)
    client = with_errors_as_users_get_them(create_app(runtime)).test_client()
    answer = client.get("/check/" + "0" * 32)
    assert answer.json is not None
    assert (answer.status_code, answer.json["code"]) == (503, "store_away")
    assert client.get("/health/live").status_code == 200
    ready = client.get("/health/ready")
    assert ready.status_code == 503
    assert ready.json is not None
    assert ready.json["checks"]["database"] != "ok"
