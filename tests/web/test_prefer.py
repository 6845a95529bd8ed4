"""`Prefer: wait`: the answer comes when the task ends, at the timeout, or at once if too many requests wait."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from queue_tool.model.outcome import Outcome
from queue_tool.model.states import Move
from queue_tool.runtime import Runtime
from queue_tool.web import create_app
from queue_tool.web.http.prefer import preferred_wait
from tests import conftest
from tests.runs import claim_runs, settle_runs
from tests.support import eventually, now


def sent(client: FlaskClient) -> tuple[str, str]:
    answer: Any = client.post("/api", json=[{"item": "a", "valor": 0}]).json
    return answer["processing_items"][0]["hash"], answer["batch"]


def end(runtime: Runtime, token: str) -> None:
    owner = runtime.owner.id()
    claim_runs(runtime.store, [(token, 1)], owner, now())
    settle_runs(runtime.store, [Outcome(token=token, run=1, move=Move.FINISH, result="null")], owner, now())


def paths(client: FlaskClient) -> tuple[str, list[str]]:
    token, batch = sent(client)
    views = [f"/check/{token}", f"/batches/{batch}", f"/tasks/{token}", f"/tasks/{token}/status", f"/results/{token}"]
    return token, views


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        (["wait=30"], 30),
        (["wait=0"], 0),
        (["WAIT=7"], 7),
        (['wait="7"'], 7),
        (["wait = 7"], 7),
        (["wait=61"], 60),
        (["wait=999999999"], 60),
        (["respond-async, wait=5"], 5),
        (["respond-async", "wait=5"], 5),
        (["wait=5, wait=6"], 5),
        (["wait=5; why=not"], 5),
        (["wait"], None),
        (["wait=soon"], None),
        (["wait=-1"], None),
        (["wait=1.5"], None),
        (["wait=\u0661"], None),
        (["wait=9999999999999999999999"], None),
        (["await=5"], None),
        (["wait=5" + " " * 58], 5),
        (["wait=5" + " " * 59], None),
        (["wait=" + " " * 32_000 + "x"], None),
        ([""], None),
        ([], None),
    ],
)
def test_the_preferred_wait_is_read_from_the_header(app: Flask, values: list[str], seconds: int | None) -> None:
    with app.test_request_context("/", headers=[("Prefer", text) for text in values]):
        assert preferred_wait() == seconds


@pytest.mark.parametrize("which", range(5))
def test_the_answer_comes_when_the_task_ends(client: FlaskClient, runtime: Runtime, app: Flask, which: int) -> None:
    token, both = paths(client)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(lambda: app.test_client().get(both[which], headers={"Prefer": "wait=60"}))
        end(runtime, token)
        answer = waiting.result(30)
    assert body_of(answer)["message"] == "Finalizado"
    assert answer.headers["Preference-Applied"] == "wait=60"
    assert answer.headers["Vary"] == "Prefer"


@pytest.mark.parametrize("which", range(5))
def test_at_the_timeout_the_answer_has_the_current_state(client: FlaskClient, which: int) -> None:
    _, both = paths(client)
    answer = client.get(both[which], headers={"Prefer": "wait=1"})
    assert answer.status_code == 200
    assert body_of(answer)["message"] == "Em processamento"
    assert answer.headers["Preference-Applied"] == "wait=1"


@pytest.mark.parametrize("which", range(5))
def test_for_an_ended_task_or_batch_the_answer_is_immediate(client: FlaskClient, runtime: Runtime, which: int) -> None:
    token, both = paths(client)
    end(runtime, token)
    answer = client.get(both[which], headers={"Prefer": "wait=60"})
    assert body_of(answer)["message"] == "Finalizado"
    assert answer.headers["Preference-Applied"] == "wait=60"


def test_without_the_header_nothing_is_applied(client: FlaskClient) -> None:
    _, both = paths(client)
    assert not [path for path in both if "Preference-Applied" in client.get(path).headers]


def test_for_an_unknown_token_the_answer_is_immediate(client: FlaskClient) -> None:
    answer = client.get(f"/check/{'0' * 32}", headers={"Prefer": "wait=60"})
    assert answer.status_code == 404
    assert body_of(answer)["message"] == "Job not found"


@pytest.mark.parametrize("most", [0, 1])
def test_beyond_max_waits_the_answer_is_immediate_and_has_no_preference_applied(
    make_runtime: conftest.RuntimeFactory, valkey_server: str, redis: Any, most: int
) -> None:
    runtime = make_runtime(REDIS_URL=valkey_server, MAX_WAITS=str(most))
    app = conftest.testing(create_app(runtime))
    token, both = paths(app.test_client())
    with ThreadPoolExecutor(1) as threads:
        waiting = [threads.submit(eventually, partial(granted, app, both[0])) for _ in range(most)]
        for path in both:
            answer = eventually(partial(refused, app, path))
            assert body_of(answer)["message"] == "Em processamento"
        end(runtime, token)
        assert [each.result(30).headers["Preference-Applied"] for each in waiting] == ["wait=60"] * most


def granted(app: Flask, path: str) -> Any:
    """Wait for up to 60 s; return None if `refused` below holds the only slot at this moment."""
    answer = app.test_client().get(path, headers={"Prefer": "wait=60"})
    return answer if "Preference-Applied" in answer.headers else None


def refused(app: Flask, path: str) -> Any:
    """Return the answer that came without a wait; None if this request was allowed to wait."""
    answer = app.test_client().get(path, headers={"Prefer": "wait=1"})
    return None if "Preference-Applied" in answer.headers else answer


def body_of(answer: Any) -> Any:
    return answer.json
