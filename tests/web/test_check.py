"""`/check`: the states of tasks, by their tokens."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from queue_tool.model.batch import judge_of
from queue_tool.model.new_task import Accepted
from queue_tool.model.task_types import TaskType, make_task_type
from queue_tool.runtime import Runtime
from queue_tool.web import create_app
from tests.runs import claim_runs

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
KEYS = {
    "message", "token", "batch", "task_type", "item", "status", "attempt",
    "created_at", "started_at", "finished_at", "duration", "result", "error",
}  # fmt: skip
UNKNOWN = "0" * 32

ILL_FORMED = [
    "a", "a" * 31, "a" * 33, "a" * 5000, "A" * 32, "0" * 31 + "A", "g" * 32, "٣" * 32, " " + "a" * 31,
    "a" * 32 + "\n", "%00", "a" * 31 + "\0", "%2e%2e", "..", "'; DROP TABLE tasks; --", "INVALID_JOB_REQUEST",
]  # fmt: skip


def sent(client: FlaskClient, *elements: object) -> list[str]:
    answer = client.post("/api", json=list(elements)).json
    assert answer is not None
    return [line["hash"] for line in answer["processing_items"]]


def check(client: FlaskClient, token: str) -> Any:
    answer = client.get(f"/check/{token}")
    assert answer.status_code == 200
    return answer.json


def ask(client: FlaskClient, tokens: object) -> Any:
    return client.post("/check", json={"tokens": tokens})


def type_of(name: str, function: Any) -> TaskType:
    return make_task_type(name, function)


def ended(runtime: Runtime, kind: TaskType, *, known: bool = True) -> Any:
    if known:
        runtime.types.add(kind)
    (element,) = runtime.submit([{"item": "it"}], judge_of(kind)).elements
    assert isinstance(element, Accepted)
    return check(create_app(runtime).test_client(), element.token)


def raises(data: object) -> None:
    raise ValueError(f"no {data!r} today")


def not_json(data: object) -> object:
    return {1, 2}


def echo(data: object) -> object:
    return {"got": data, "number": 1.5, "deep": [[None]]}


# -- one token ---------------------------------------------------------------------------------------------


def test_a_queued_task_is_in_progress_and_has_every_field(client: FlaskClient) -> None:
    answer = client.post("/api", json=[{"item": "item01", "valor": 10}])
    assert answer.json is not None
    token = answer.json["processing_items"][0]["hash"]
    found = check(client, token)
    assert set(found) >= KEYS
    assert TIME.fullmatch(found.pop("created_at"))
    assert {name: found[name] for name in KEYS - {"created_at"}} == {
        "message": "Em processamento",
        "token": token,
        "batch": answer.json["batch"],
        "task_type": "sleep",
        "item": "item01",
        "status": "queued",
        "attempt": None,
        "started_at": None,
        "finished_at": None,
        "duration": None,
        "result": None,
        "error": None,
    }


def test_a_running_task_is_in_progress(client: FlaskClient, runtime: Runtime) -> None:
    (token,) = sent(client, {"item": "a", "valor": 10})
    assert claim_runs(runtime.store, [(token, 1)], runtime.owner.id(), datetime.now(UTC))
    found = check(client, token)
    assert (found["message"], found["status"], found["finished_at"]) == ("Em processamento", "running", None)
    assert TIME.fullmatch(found["started_at"])


def test_a_finished_task_has_its_times(inline_client: FlaskClient) -> None:
    (token,) = sent(inline_client, {"item": "a", "valor": 0.05})
    found = check(inline_client, token)
    assert (found["message"], found["status"], found["error"]) == ("Finalizado", "finished", None)
    assert TIME.fullmatch(found["finished_at"])
    assert found["created_at"] <= found["started_at"] < found["finished_at"]
    assert found["duration"] >= 0.05


def test_the_result_of_a_task_is_json(inline: Runtime) -> None:
    found = ended(inline, type_of("echo_here", echo))
    assert found["result"] == {"got": {"item": "it"}, "number": 1.5, "deep": [[None]]}
    assert (found["task_type"], found["item"]) == ("echo_here", "it")


@pytest.mark.parametrize(
    ("function", "code", "message"),
    [(raises, "error", "no {'item': 'it'} today"), (not_json, "bad_result", "not JSON")],
)
def test_a_failed_task_has_ended_too_and_has_its_error(inline: Runtime, function: Any, code: str, message: str) -> None:
    found = ended(inline, type_of("bad", function))
    assert (found["message"], found["status"], found["result"]) == ("Finalizado", "failed", None)
    assert found["error"]["code"] == code
    assert message in found["error"]["message"]
    assert "Traceback" not in found["error"]["message"]
    assert found["finished_at"]


@pytest.mark.parametrize("function", [lambda data: data, raises], ids=["ended well", "failed"])
def test_the_fast_and_the_slow_path_of_a_check_give_the_same_answer(inline: Runtime, function: Any) -> None:
    token = ended(inline, type_of("alike", function))["token"]
    client = create_app(inline).test_client()
    fast = client.get(f"/check/{token}", headers={"X-Request-Id": "r-1"})
    slow = client.get(f"/check/{token}", headers={"X-Request-Id": "r-1", "Prefer": "handling=lenient"})
    assert (fast.status, fast.data, sorted(fast.headers)) == (slow.status, slow.data, sorted(slow.headers))


def test_a_head_request_of_a_check_has_no_body(inline: Runtime) -> None:
    token = ended(inline, type_of("head", lambda data: data))["token"]
    client = create_app(inline).test_client()
    head = client.head(f"/check/{token}", headers={"X-Request-Id": "r-1"})
    assert (head.status_code, head.data) == (200, b"")
    assert sorted(head.headers) == sorted(client.get(f"/check/{token}", headers={"X-Request-Id": "r-1"}).headers)


def test_a_task_of_an_unknown_type_has_ended_too(inline: Runtime) -> None:
    found = ended(inline, type_of("nobody_knows", echo), known=False)
    assert (found["message"], found["status"]) == ("Finalizado", "failed")
    assert found["error"]["code"] == "unknown_task_type"


@pytest.mark.parametrize("token", [UNKNOWN, *ILL_FORMED], ids=lambda token: repr(token)[:24])
def test_an_unknown_or_ill_formed_token_is_not_found(client: FlaskClient, token: str) -> None:
    sent(client, {"item": "a", "valor": 1})
    answer = client.get(f"/check/{token}")
    assert answer.status_code == 404
    assert answer.json is not None
    assert answer.json["message"] == "Job not found"


def test_the_id_of_a_batch_is_not_the_token_of_a_task(client: FlaskClient) -> None:
    answer = client.post("/api", json=[{"item": "a", "valor": 1}])
    assert answer.json is not None
    assert client.get(f"/check/{answer.json['batch']}").status_code == 404


@pytest.mark.parametrize("path", ["/check/..%2f..", "/check/", "/check/a/b", f"/check/{UNKNOWN}/", "/check/%2fetc"])
def test_a_path_that_leads_elsewhere_is_404(client: FlaskClient, path: str) -> None:
    answer = client.get(path, follow_redirects=True)
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"


# -- many tokens -------------------------------------------------------------------------------------------


def test_many_tokens_are_answered_in_the_order_of_the_request(client: FlaskClient) -> None:
    first, second = sent(client, {"item": "a", "valor": 1}, {"item": "b", "valor": 1})
    answer = ask(client, [second, UNKNOWN, first, "not a token", second, "", first.upper()])
    waiting = {"message": "Em processamento", "status": "queued"}
    unknown = {"message": "Job not found", "status": "unknown"}
    assert answer.status_code == 200
    assert answer.json == {
        "results": [
            {"hash": second} | waiting,
            {"hash": UNKNOWN} | unknown,
            {"hash": first} | waiting,
            {"hash": "not a token"} | unknown,
            {"hash": second} | waiting,
            {"hash": ""} | unknown,
            {"hash": first.upper()} | unknown,
        ]
    }


def test_ended_tasks_are_finalizado_in_a_list_too(inline: Runtime) -> None:
    client = create_app(inline).test_client()
    (good,) = sent(client, {"item": "a", "valor": 0})
    bad = ended(inline, type_of("bad", raises))["token"]
    results = ask(client, [good, bad]).json["results"]
    assert [(result["message"], result["status"]) for result in results] == [
        ("Finalizado", "finished"),
        ("Finalizado", "failed"),
    ]


def test_no_tokens_are_no_results(client: FlaskClient) -> None:
    assert ask(client, []).json == {"results": []}


@pytest.mark.parametrize("token", ILL_FORMED, ids=lambda token: repr(token)[:24])
def test_an_ill_formed_token_in_a_list_is_unknown_and_comes_back_as_given(client: FlaskClient, token: str) -> None:
    answer = ask(client, [token])
    assert answer.status_code == 200
    assert answer.json["results"] == [{"hash": token, "message": "Job not found", "status": "unknown"}]


def test_a_hundred_thousand_tokens_may_be_asked_for(client: FlaskClient) -> None:
    (token,) = sent(client, {"item": "a", "valor": 1})
    wanted = [f"{number:032x}" for number in range(99_999)] + [token]
    answer = ask(client, wanted)
    assert answer.status_code == 200
    results = answer.json["results"]
    assert [result["hash"] for result in results] == wanted
    assert [result["status"] for result in results[-2:]] == ["unknown", "queued"]


def test_one_token_more_is_413(client: FlaskClient) -> None:
    answer = ask(client, [""] * 100_001)
    assert (answer.status_code, answer.json["code"]) == (413, "too_many_items")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("[]", "bad_tokens"),
        ("null", "bad_tokens"),
        ('"text"', "bad_tokens"),
        ("{}", "bad_tokens"),
        ('{"tokens": null}', "bad_tokens"),
        ('{"tokens": "a"}', "bad_tokens"),
        ('{"tokens": {}}', "bad_tokens"),
        ('{"tokens": [1]}', "bad_tokens"),
        ('{"tokens": ["a", null]}', "bad_tokens"),
        ('{"tokens": [["a"]]}', "bad_tokens"),
        ("", "malformed_json"),
        ('{"tokens": [NaN]}', "malformed_json"),
        ('{"tokens": ["\\ud800"]}', "malformed_json"),
    ],
)
def test_a_body_that_is_not_a_list_of_tokens_is_400(client: FlaskClient, body: str, code: str) -> None:
    answer = client.post("/check", data=body, content_type="application/json")
    assert answer.json is not None
    assert (answer.status_code, answer.json["code"]) == (400, code)


def test_a_list_of_tokens_must_be_declared_as_json(client: FlaskClient) -> None:
    assert client.post("/check", data='{"tokens": []}', content_type="text/plain").status_code == 415
