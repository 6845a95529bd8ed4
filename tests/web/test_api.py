"""`POST /api`: the exact answer, the rules for one element, the limits for one body."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from rq.job import Job
from rq.serializers import JSONSerializer

from queue_tool.model.window import FIRST
from queue_tool.runtime import Runtime
from queue_tool.web import create_app
from tests.conftest import RuntimeFactory

TOKEN = re.compile(r"[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}")
BIG = 4 * 2**20
CHUNKED: dict[str, Any] = {
    "headers": {"Transfer-Encoding": "chunked"},
    "environ_overrides": {"wsgi.input_terminated": True},
}
"""Request options for a body without a Content-Length, as a server passes it on."""


def send(client: FlaskClient, body: bytes | str, **headers: str) -> Any:
    return client.post("/api", data=body, content_type="application/json", headers=headers)


def got(client: FlaskClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.json


def nothing_was_stored(runtime: Runtime) -> bool:
    totals = runtime.store.totals()
    return (totals.batches, totals.accepted, totals.rejected) == (0, 0, 0)


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


# -- the answer --------------------------------------------------------------------------------------------


def test_the_example_of_the_contract_is_answered_exactly(client: FlaskClient) -> None:
    answer = client.post("/api", json=[{"item": "item01", "valor": 10}, {"item": "Teste1", "valor": "10"}])
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    body = json.loads(answer.data)
    assert list(body) == ["message", "processing_items", "batch"]
    assert body["message"] == "Itens recebidos para processamento"
    good, bad = body["processing_items"]
    assert list(good) == ["hash", "index", "item"]
    assert TOKEN.fullmatch(good["hash"])
    assert (good["index"], good["item"]) == (0, "item01")
    assert list(bad) == ["hash", "index", "item", "errors"]
    assert (bad["hash"], bad["index"], bad["item"]) == ("INVALID_JOB_REQUEST", 1, "Teste1")
    (error,) = bad["errors"]
    assert list(error) == ["path", "message"]
    assert error["path"] == "/valor"
    assert error["message"]
    assert TOKEN.fullmatch(body["batch"])
    assert answer.headers["Location"] == f"/batches/{body['batch']}"


def test_an_empty_array_has_no_batch_and_no_location(client: FlaskClient, runtime: Runtime) -> None:
    answer = send(client, "[]")
    assert answer.status_code == 200
    assert answer.json == {"message": "Itens recebidos para processamento", "processing_items": []}
    assert "Location" not in answer.headers
    assert nothing_was_stored(runtime)


def test_a_batch_with_only_refused_elements_is_finished_at_once(client: FlaskClient) -> None:
    answer = send(client, "[1, null]")
    assert answer.status_code == 200
    assert [line["hash"] for line in answer.json["processing_items"]] == ["INVALID_JOB_REQUEST"] * 2
    batch = got(client, answer.headers["Location"])
    assert (batch["message"], batch["progress"], batch["total"], batch["rejected"]) == ("Finalizado", 1, 2, 2)


def test_a_token_is_the_id_of_its_rq_job(client: FlaskClient, redis: Redis) -> None:
    token = send(client, '[{"item": "a", "valor": 1}]').json["processing_items"][0]["hash"]
    job = Job.fetch(token, connection=redis, serializer=JSONSerializer)
    assert job.id == token
    assert job.origin == "default"


def test_answers_come_in_the_order_of_the_items(client: FlaskClient) -> None:
    sent = [{"item": f"n{number}", "valor": number % 2 or "x"} for number in range(50)]
    lines = send(client, json.dumps(sent)).json["processing_items"]
    assert [(line["index"], line["item"]) for line in lines] == [(n, f"n{n}") for n in range(50)]
    assert [line["hash"] == "INVALID_JOB_REQUEST" for line in lines] == [n % 2 == 0 for n in range(50)]
    assert len({line["hash"] for line in lines}) == 26


# -- one element -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "element",
    [
        '{"item": "a", "valor": 0}',
        '{"item": "a", "valor": 0.5}',
        '{"item": "a", "valor": -0.0}',
        '{"item": "a", "valor": 86400}',
        '{"item": "a", "valor": 1e2}',
        '{"item": "a", "valor": 1e-400}',
        '{"item": "", "valor": 1}',
        '{"item": "caf\\u00e9 \\ud83d\\ude00 <b>", "valor": 1}',
        '{"item": "a", "valor": 1, "more": {"ignored": [true, null]}}',
        '{"item": "a", "valor": 1, "more": "\\u0000"}',
        '{"item": "a", "valor": 1, "more": 123456789012345678901234567890}',
        '{"item": "x", "item": "a", "valor": "x", "valor": 1}',
    ],
)
def test_a_good_element_gets_a_token_and_its_item_back(client: FlaskClient, element: str) -> None:
    answer = send(client, f"[{element}]")
    assert answer.status_code == 200
    (line,) = answer.json["processing_items"]
    assert line["item"] == json.loads(element)["item"]
    assert "errors" not in line
    assert got(client, f"/check/{line['hash']}")["message"] == "Em processamento"


@pytest.mark.parametrize(
    ("element", "item", "path"),
    [
        ("1", None, ""),
        ("1.5", None, ""),
        ("null", None, ""),
        ("true", None, ""),
        ('"text"', None, ""),
        ("[]", None, ""),
        (nested(500), None, ""),
        ("{}", None, ""),
        ('{"valor": 1}', None, ""),
        ('{"item": "a"}', "a", ""),
        ('{"item": null, "valor": 1}', None, "/item"),
        ('{"item": 7, "valor": 1}', 7, "/item"),
        ('{"item": {"deep": [1]}, "valor": 1}', {"deep": [1]}, "/item"),
        ('{"item": "a\\u0000b", "valor": 1}', "a\0b", "/item"),
        ('{"item": "a", "valor": true}', "a", "/valor"),
        ('{"item": "a", "valor": false}', "a", "/valor"),
        ('{"item": "a", "valor": null}', "a", "/valor"),
        ('{"item": "a", "valor": "1"}', "a", "/valor"),
        ('{"item": "a", "valor": [1]}', "a", "/valor"),
        ('{"item": "a", "valor": -1}', "a", "/valor"),
        ('{"item": "a", "valor": -1e-9}', "a", "/valor"),
        ('{"item": "a", "valor": 86400.001}', "a", "/valor"),
        ('{"item": "a", "valor": 1e308}', "a", "/valor"),
        ('{"item": "a", "valor": 18446744073709551615}', "a", "/valor"),
        ('{"item": "a", "valor": 123456789012345678901234567890}', "a", "/valor"),
        ('{"item": "a", "valor": -123456789012345678901234567890}', "a", "/valor"),
    ],
)
def test_a_bad_element_is_refused_with_its_item_and_a_path_and_the_others_are_accepted(
    client: FlaskClient, element: str, item: object, path: str
) -> None:
    answer = send(client, f'[{element}, {{"item": "good", "valor": 1}}]')
    assert answer.status_code == 200
    bad, good = answer.json["processing_items"]
    assert (bad["hash"], bad["index"], bad["item"]) == ("INVALID_JOB_REQUEST", 0, item)
    assert path in [error["path"] for error in bad["errors"]]
    assert all(error["message"] for error in bad["errors"])
    assert TOKEN.fullmatch(good["hash"])


def test_a_refusal_lists_every_reason(client: FlaskClient) -> None:
    (line,) = send(client, '[{"item": 1, "valor": "x"}]').json["processing_items"]
    assert {error["path"] for error in line["errors"]} == {"/item", "/valor"}


def test_the_longest_valor_is_a_setting(make_runtime: RuntimeFactory, redis: Redis, valkey_server: str) -> None:
    client = create_app(make_runtime(REDIS_URL=valkey_server, MAX_VALOR="2")).test_client()
    answer = send(client, '[{"item": "a", "valor": 2}, {"item": "b", "valor": 2.1}]')
    lines = answer.json["processing_items"]
    assert [line["hash"] == "INVALID_JOB_REQUEST" for line in lines] == [False, True]


# -- the type of the body ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"],
)
def test_a_body_not_declared_as_json_is_415(client: FlaskClient, runtime: Runtime, content_type: str | None) -> None:
    answer: Any = client.post("/api", data=b'[{"item": "a", "valor": 1}]', content_type=content_type)
    assert (answer.status_code, answer.json["code"]) == (415, "unsupported_media_type")
    assert nothing_was_stored(runtime)


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_the_json_content_type_may_have_a_charset_and_capitals(client: FlaskClient, content_type: str) -> None:
    assert client.post("/api", data=b"[]", content_type=content_type).status_code == 200


# -- malformed bodies --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"not json",
        b"[1,]",
        b"[",
        b"[] []",
        b"{'item': 'a'}",
        b"[NaN]",
        b"[Infinity]",
        b"[-Infinity]",
        b'[{"item": "a", "valor": NaN}]',
        b"[1e400]",
        b"[-1e400]",
        b"[1" + b"0" * 400 + b"]",
        b'["\\ud800"]',
        b'["\\udc00\\ud800"]',
        b'["\xed\xa0\x80"]',
        b'["\xff"]',
        b'["a\nb"]',
        b"\xef\xbb\xbf[]",
        "[]".encode("utf-16"),
        nested(1025).encode(),
        b'[{"a":' * 600 + b"1" + b"}]" * 600,
        b"[" * 200_000,
    ],
    ids=repr,
)
def test_a_malformed_body_is_400_and_nothing_is_stored(client: FlaskClient, runtime: Runtime, body: bytes) -> None:
    answer = send(client, body)
    assert (answer.status_code, answer.json["code"]) == (400, "malformed_json")
    assert nothing_was_stored(runtime)


@pytest.mark.parametrize("body", ["{}", '{"item": "a", "valor": 1}', "7", '"text"', "null", "true"])
def test_a_body_that_is_not_an_array_is_400_and_nothing_is_stored(
    client: FlaskClient, runtime: Runtime, body: str
) -> None:
    answer = send(client, body)
    assert (answer.status_code, answer.json["code"]) == (400, "not_an_array")
    assert nothing_was_stored(runtime)


@pytest.mark.parametrize("depth", [253, 254, 255, 500, 1021, 1022])
def test_an_unknown_key_may_be_deeply_nested(client: FlaskClient, depth: int) -> None:
    answer = send(client, f'[{{"item": "deep", "valor": 1, "more": {nested(depth)}}}]')
    assert answer.status_code == 200
    assert got(client, f"/check/{answer.json['processing_items'][0]['hash']}")["item"] == "deep"


@pytest.mark.parametrize("depth", [940, 960, 980, 990, 1021])
def test_a_very_deep_element_is_refused_and_the_others_are_accepted(client: FlaskClient, depth: int) -> None:
    answer = send(client, f'[{{"item": {nested(depth)}, "valor": 1}}, {nested(depth)}, {{"item": "good", "valor": 1}}]')
    assert answer.status_code == 200
    elements = orjson.loads(answer.data)["processing_items"]  # deeper than the standard library reads
    assert [element["hash"] == "INVALID_JOB_REQUEST" for element in elements] == [True, True, False]
    assert all(error["message"] for element in elements[:2] for error in element["errors"])


@pytest.mark.parametrize("depth", [253, 500, 900])
def test_a_deep_item_is_refused_and_comes_back_whole(client: FlaskClient, depth: int) -> None:
    answer = send(client, f'[{{"item": {nested(depth)}, "valor": 1}}]')
    assert answer.status_code == 200
    assert nested(depth) in answer.text
    assert "/item" in [error["path"] for error in answer.json["processing_items"][0]["errors"]]


# -- limits ------------------------------------------------------------------------------------------------


def test_a_hundred_thousand_items_are_accepted(client: FlaskClient, redis: Redis) -> None:
    answer = send(client, b"[" + b",".join([b'{"item":"a","valor":1}'] * 100_000) + b"]")
    assert answer.status_code == 200
    assert len({line["hash"] for line in answer.json["processing_items"]}) == 100_000
    assert got(client, answer.headers["Location"])["counts"]["queued"] == 100_000
    assert redis.llen("rq:queue:default") == FIRST  # the others wait in line


def test_one_item_more_is_413_and_nothing_is_stored(client: FlaskClient, runtime: Runtime) -> None:
    answer = send(client, b"[" + b",".join([b"0"] * 100_001) + b"]")
    assert (answer.status_code, answer.json["code"]) == (413, "too_many_items")
    assert "100000" in answer.json["message"]
    assert nothing_was_stored(runtime)


def test_the_item_limit_of_one_request_is_a_setting(make_runtime: RuntimeFactory) -> None:
    client = create_app(make_runtime(MAX_BATCH="2")).test_client()
    assert client.post("/api", json=[1, 2]).status_code == 200
    assert client.post("/api", json=[1, 2, 3]).status_code == 413


@pytest.mark.parametrize(("size", "status"), [(1024, 200), (1025, 413)])
def test_a_body_may_have_exactly_as_many_bytes_as_the_setting_allows(
    make_runtime: RuntimeFactory, size: int, status: int
) -> None:
    runtime = make_runtime(MAX_BODY="1 KiB")
    answer = send(create_app(runtime).test_client(), b'[{"item": "a", "valor": 0}]'.ljust(size))
    assert answer.status_code == status
    assert nothing_was_stored(runtime) == (status == 413)
    assert answer.json.get("code") == ("body_too_large" if status == 413 else None)


def test_a_body_of_unknown_length_is_read_completely(make_runtime: RuntimeFactory) -> None:
    client = create_app(make_runtime(MAX_BODY="1 KiB")).test_client()
    body = b"[1" + b",1" * 510 + b" ]"
    assert len(body) == 1024
    answer: Any = client.post("/api", input_stream=io.BytesIO(body), content_type="application/json", **CHUNKED)
    assert answer.status_code == 200
    assert len(answer.json["processing_items"]) == 511


@pytest.mark.parametrize("body", [b"[1]".ljust(1025), b"[1]".ljust(5000), b"[" + b"1," * 2499 + b"1]"])
def test_a_body_of_unknown_length_that_is_too_long_is_refused_not_cut(
    make_runtime: RuntimeFactory, body: bytes
) -> None:
    runtime = make_runtime(MAX_BODY="1 KiB")
    client = create_app(runtime).test_client()
    answer: Any = client.post("/api", input_stream=io.BytesIO(body), content_type="application/json", **CHUNKED)
    assert (answer.status_code, answer.json["code"]) == (413, "body_too_large")
    assert nothing_was_stored(runtime)


def test_the_third_big_body_at_once_is_503_with_retry_after(app: Flask, client: FlaskClient, runtime: Runtime) -> None:
    uploads = app.extensions["queue_tool.uploads"]
    big = b"[1]".ljust(BIG + 1)
    with uploads.slot():
        assert send(client, big).status_code == 200
        with uploads.slot():
            before = runtime.store.totals()
            answer = send(client, big)
            assert (answer.status_code, answer.json["code"]) == (503, "too_many_uploads")
            assert int(answer.headers["Retry-After"]) >= 1
            assert runtime.store.totals() == before
            assert send(client, b"[1]".ljust(BIG)).status_code == 200
    assert send(client, big).status_code == 200


def test_a_body_of_unknown_length_is_big_only_once_it_has_grown_big(app: Flask, client: FlaskClient) -> None:
    uploads = app.extensions["queue_tool.uploads"]

    def sent(size: int) -> int:
        body = io.BytesIO(b"[1]".ljust(size))
        return client.post("/api", input_stream=body, content_type="application/json", **CHUNKED).status_code

    with uploads.slot(), uploads.slot():
        assert [sent(size) for size in (3, BIG, BIG + 1)] == [200, 200, 503]
    assert sent(BIG + 1) == 200


def test_a_refused_big_body_frees_its_upload_slot(client: FlaskClient) -> None:
    assert [send(client, b"[".ljust(BIG + 1)).status_code for _ in range(4)] == [400] * 4


def test_more_tasks_than_may_be_queued_are_429_and_nothing_is_stored(
    make_runtime: RuntimeFactory, redis: Redis, valkey_server: str
) -> None:
    runtime = make_runtime(REDIS_URL=valkey_server, MAX_WAITING="2")
    client = create_app(runtime).test_client()
    good = {"item": "a", "valor": 1}
    answer = client.post("/api", json=[good] * 3)
    assert answer.json is not None
    assert (answer.status_code, answer.json["code"]) == (429, "too_many_waiting")
    assert int(answer.headers["Retry-After"]) >= 1
    assert nothing_was_stored(runtime)
    assert client.post("/api", json=[good, 1, good, 2]).status_code == 200
    assert client.post("/api", json=[good]).status_code == 429
    assert client.post("/api", json=[1, 2, 3]).status_code == 200


LINES = ("application/x-ndjson", "application/jsonl")


@pytest.mark.parametrize("kind", [*LINES, "application/x-ndjson; charset=utf-8"])
@pytest.mark.parametrize(("path", "wrap"), [("/api", False), ("/tasks", True)])
def test_an_array_may_be_sent_as_one_element_on_each_line(client: Any, path: str, kind: str, *, wrap: bool) -> None:
    elements: list[Any] = [
        {"item": "a\n", "valor": 0},
        {"item": "b", "valor": "x"},
        7,
        {"item": "\u00e9", "valor": 1.5},
    ]
    sent = [{"task_type": "sleep", "data": each} for each in elements] if wrap else elements
    lines = "\r\n\n".join(json.dumps(each, ensure_ascii=False) for each in sent)
    as_lines = client.post(path, data=lines + "\n", content_type=kind)
    as_array = client.post(path, json=sent)
    assert as_lines.status_code == as_array.status_code
    shown, expected = (
        [_without_tokens(each) for each in answer.json["processing_items"]] for answer in (as_lines, as_array)
    )
    assert shown == expected
    assert [each["hash"] for each in expected] == ["token", "INVALID_JOB_REQUEST", "INVALID_JOB_REQUEST", "token"]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("1\n[1", "Line 2 of the body is not valid JSON"),
        ("1,2", "Line 1 of the body is not valid JSON"),
        ("1 2", "Line 1 of the body is not valid JSON"),
        ('\n\n{"item":\n1}', "Line 3 of the body is not valid JSON"),
        ("NaN", "Line 1 of the body is not valid JSON"),
    ],
)
def test_a_line_that_is_no_json_is_named_and_nothing_is_kept(
    client: Any, runtime: Runtime, lines: str, sentence: str
) -> None:
    answer = client.post("/api", data=lines, content_type=LINES[0])
    assert (answer.status_code, answer.json["code"]) == (400, "malformed_json")
    assert answer.json["detail"].startswith(sentence)
    assert not runtime.broker.queued()


@pytest.mark.parametrize("path", ["/check", "/tasks/cancel", "/api/queue/push"])
def test_other_routes_take_no_lines(client: Any, path: str) -> None:
    assert client.post(path, data="{}", content_type=LINES[0]).status_code == 415


def test_a_repeated_request_with_lines_has_the_same_tokens(client: Any) -> None:
    sent = {"data": '{"item": "a", "valor": 0}\n', "content_type": LINES[0], "headers": {"Idempotency-Key": "k"}}
    first, second = (client.post("/api", **sent) for _ in range(2))
    assert first.json == second.json
    assert client.post("/api", data="", content_type=LINES[1]).json["processing_items"] == []


def _without_tokens(element: dict[str, Any]) -> dict[str, Any]:
    return element if element["hash"] == "INVALID_JOB_REQUEST" else element | {"hash": "token"}
