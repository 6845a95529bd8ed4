"""`Idempotency-Key`: a request that is sent twice takes effect once."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from queue_tool.model.batch import IdempotencyKey, NewBatch
from queue_tool.model.new_task import NewTask
from queue_tool.runtime import Runtime
from queue_tool.services.submit import make_tokens, request_digest
from tests.adding import add_to
from tests.support import LIMIT
from tests.web.conftest import KeyMaker

MIXED = b'[{"item":"a","valor":1},{"item":{"x":[1.50,1e20]},"valor":"1"},7,{"valor":123456789012345678901234567890}]'


def send(client: FlaskClient, body: bytes, key: str, headers: dict[str, str] | None = None) -> Any:
    sent = {"Idempotency-Key": key} | (headers or {})
    return client.post("/api", data=body, content_type="application/json", headers=sent)


@pytest.mark.parametrize(
    "body",
    [
        MIXED,
        b"[]",
        b"[1,null,true]",
        b'[{"item":"a","valor":1}]',
        b'[{"item":"\\u00e9\\ud83d\\ude00","valor":1}, {"item":"\\u0000"}]',
        b'[{"item":' + b"[" * 400 + b"]" * 400 + b',"valor":1}]',
    ],
    ids=lambda body: repr(body)[:40],
)
def test_the_same_request_gets_the_same_answer_and_creates_nothing_new(
    client: FlaskClient, runtime: Runtime, body: bytes
) -> None:
    first = send(client, body, "k")
    kept = runtime.store.totals()
    again = send(client, body, "k")
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.data == first.data
    assert again.headers.get("Location") == first.headers.get("Location")
    assert runtime.store.totals() == kept


@pytest.mark.parametrize("first", [MIXED, b"[]", b"[1]"])
def test_the_same_key_with_another_body_is_422_and_creates_nothing(
    client: FlaskClient, runtime: Runtime, first: bytes
) -> None:
    original = send(client, first, "k")
    kept = runtime.store.totals()
    answer = send(client, first + b" ", "k")
    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")
    assert runtime.store.totals() == kept
    assert send(client, first, "k").data == original.data


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_an_empty_or_too_long_key_is_400_and_creates_nothing(client: FlaskClient, runtime: Runtime, key: str) -> None:
    answer = send(client, MIXED, key)
    assert (answer.status_code, answer.json["code"]) == (400, "bad_idempotency_key")
    assert runtime.store.totals().batches == 0


@pytest.mark.parametrize("key", ["k", "k" * 255, "with spaces, and 'quotes'", "é"])
def test_every_different_key_is_a_different_request(client: FlaskClient, runtime: Runtime, key: str) -> None:
    assert send(client, MIXED, key).data == send(client, MIXED, key).data
    assert send(client, MIXED, "another").data != send(client, MIXED, key).data
    assert runtime.store.totals().batches == 2


def test_without_a_key_the_same_body_is_a_new_batch_each_time(client: FlaskClient) -> None:
    answers = [client.post("/api", data=MIXED, content_type="application/json").data for _ in range(2)]
    assert answers[0] != answers[1]


def test_many_requests_at_once_create_one_batch_and_get_the_same_answer(app: Flask, runtime: Runtime) -> None:
    together = threading.Barrier(6)
    answers: list[tuple[int, bytes]] = []

    def send_once() -> None:
        client = app.test_client()
        together.wait(LIMIT)
        answer = send(client, MIXED, "k")
        answers.append((answer.status_code, answer.data))

    threads = [threading.Thread(target=send_once) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 6
    assert {status for status, _ in answers} == {200}
    assert len({body for _, body in answers}) == 1
    assert runtime.store.totals().batches == 1


def test_another_api_key_is_another_scope(client: FlaskClient, runtime: Runtime, bearer: KeyMaker) -> None:
    submit, admin = bearer("submit"), bearer("admin")
    first = send(client, MIXED, "k", submit)
    other = send(client, b"[1]", "k", admin)
    assert (first.status_code, other.status_code) == (200, 200)
    assert send(client, MIXED, "k", submit).data == first.data
    assert send(client, b"[1]", "k", admin).data == other.data
    assert runtime.store.totals().batches == 2


@pytest.mark.parametrize("body", [b"not json", b"{}", b"[" + b"0," * 100_000 + b"0]"], ids=["json", "array", "size"])
def test_a_completely_refused_body_leaves_the_key_free(client: FlaskClient, body: bytes) -> None:
    assert send(client, body, "k").status_code in (400, 413)
    assert send(client, MIXED, "k").status_code == 200


@pytest.mark.parametrize(("hours", "repeated"), [(23, True), (25, False)])
def test_a_key_is_remembered_for_a_day(client: FlaskClient, runtime: Runtime, hours: int, repeated: bool) -> None:
    body = b'[{"item":"a","valor":1}]'
    then = datetime.now(UTC) - timedelta(hours=hours)
    batch, token = make_tokens(2, then)
    old = NewTask(index=0, token=token, data={"item": "a", "valor": 1}, task_type=runtime.types["sleep"])
    add_to(
        runtime.store,
        NewBatch(
            id=batch,
            elements=[old],
            accepted=[old],
            refused=[],
            created_at=then,
            idempotency=IdempotencyKey(scope=" /api", key="k", digest=request_digest(body)),
        ),
    )
    answer = send(client, body, "k")
    assert answer.status_code == 200
    assert (answer.json["batch"] == batch) == repeated
    assert (answer.json["processing_items"][0]["hash"] == token) == repeated
    assert send(client, body, "k").data == answer.data
    assert send(client, b"[1]", "k").status_code == 422


def test_a_repeated_request_gets_the_same_tokens_and_runs_nothing_again(inline_client: FlaskClient) -> None:
    body = b'[{"item":"a","valor":0}]'
    first = send(inline_client, body, "k")
    again = send(inline_client, body, "k")
    assert again.data == first.data
    token = again.json["processing_items"][0]["hash"]
    found = inline_client.get(f"/check/{token}").json
    assert found is not None
    assert (found["status"], found["attempt"]) == ("finished", 1)
