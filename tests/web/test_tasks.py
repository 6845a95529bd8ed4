"""`/tasks`: tasks are submitted, read, canceled and retried."""

from __future__ import annotations

import itertools
import json
import re
import threading
from datetime import timedelta
from typing import Any

import pytest

from queue_tool.model import events
from queue_tool.model.outcome import Note
from tests.conftest import News, RuntimeFactory
from tests.support import LIMIT, now
from tests.web.conftest import KeyMaker
from tests.web.site import ILL_FORMED, ON_BOTH, UNKNOWN, Site, problem

TOKEN = re.compile("[0-9a-f]{32}")
HOUR = timedelta(hours=1)


# -- one task ----------------------------------------------------------------------------------------------


def test_one_task_is_accepted_with_its_id_and_location(site: Site) -> None:
    answer = site.post("/tasks", {"task_type": "sleep", "data": {"item": "a", "valor": 1}})
    assert answer.status_code == 202
    body = answer.json
    assert TOKEN.fullmatch(body["task_id"])
    assert body == {
        "task_id": body["task_id"],
        "id": body["task_id"],
        "token": body["task_id"],
        "status": "queued",
        "message": "Em processamento",
        "task_type": "sleep",
        "batch": None,
    }
    assert answer.headers["Location"] == f"/tasks/{body['task_id']}"
    assert site.get_json(answer.headers["Location"])["item"] == "a"
    assert site.get_json("/batches")["items"] == []
    assert site.get_json(f"/check/{body['task_id']}")["message"] == "Em processamento"


@ON_BOTH
def test_every_option_of_a_task_is_stored_and_shown(site: Site) -> None:
    options: dict[str, Any] = {
        "data": {"deep": [1.5, None, "é\0"]},
        "name": "Ärger 😀",
        "custom_id": "order-1",
        "description": "for\npeople",
        "parameters": {"a": [1], "\0": "\0"},
        "tags": ["red", "blue", "red"],
        "priority": "high",
        "timeout": 2.5,
        "max_attempts": 7,
        "unique_key": "k",
        "run_at": "2030-01-01T02:00:00+02:00",
        "expires_at": "2031-01-01T00:00:00.5Z",
    }
    shown = site.get_json(f"/tasks/{site.send(**options)}")
    expected = options | {
        "tags": ["blue", "red"],
        "run_at": None,
        "expires_at": "2031-01-01T00:00:00.500000Z",
        "due_at": "2030-01-01T00:00:00.000000Z",
        "status": "scheduled",
        "item": None,
        "index": 0,
        "batch": None,
        "attempts": [],
        "log": [],
        "result": None,
        "error": None,
    }
    del expected["run_at"]
    assert {name: shown[name] for name in expected} == expected


@ON_BOTH
def test_an_option_that_is_null_counts_as_not_given(site: Site) -> None:
    words = ["name", "custom_id", "description", "parameters", "tags", "priority", "unique_key"]
    numbers = ["timeout", "max_attempts", "run_at", "delay", "expires_at"]
    nothing: dict[str, object] = dict.fromkeys([*words, *numbers])
    _, (token, plain) = site.batch(nothing, {})
    shown, expected = site.get_json(f"/tasks/{token}"), site.get_json(f"/tasks/{plain}")
    differs = {name for name in shown if shown[name] != expected[name]}
    assert differs == {"task_id", "id", "token", "index"}


@ON_BOTH
@pytest.mark.parametrize("how", ["one", "many"])
def test_a_whole_number_may_be_written_as_json_schema_allows(site: Site, how: str) -> None:
    token = site.send(max_attempts=2.0) if how == "one" else site.batch({"max_attempts": 2.0}, {"timeout": 1})[1][0]
    shown = site.get_json(f"/tasks/{token}")["max_attempts"]
    assert (shown, type(shown)) == (2, int)


BAD: list[tuple[dict[str, object], str]] = [
    ({"data": {"item": "a", "valor": "10"}, "task_type": "sleep"}, "/data/valor"),
    ({"data": {"item": "a", "valor": -1}, "task_type": "sleep"}, "/data/valor"),
    ({"data": "text", "task_type": "sleep"}, "/data"),
    ({"data": {"a/b": [1, "2"]}, "task_type": "strict"}, "/data/a~1b/1"),
    ({"task_type": "nobody_knows"}, "/task_type"),
    ({"task_type": ""}, "/task_type"),
    ({"task_type": None}, "/task_type"),
    ({"task_type": "x" * 100_000}, "/task_type"),
    ({"task_type": ["mirror"]}, "/task_type"),
    ({"surprise": 1}, ""),
    ({"name": 5}, "/name"),
    ({"name": "a\0"}, "/name"),
    ({"name": "n" * 256}, "/name"),
    ({"custom_id": {}}, "/custom_id"),
    ({"description": "d" * 10_001}, "/description"),
    ({"parameters": [1]}, "/parameters"),
    ({"parameters": {str(number): 1 for number in range(101)}}, "/parameters"),
    ({"tags": "red"}, "/tags"),
    ({"tags": ["red", ""]}, "/tags/1"),
    ({"tags": ["\0"]}, "/tags/0"),
    ({"tags": ["t"] * 21}, "/tags"),
    ({"priority": "default"}, "/priority"),
    ({"timeout": -0.5}, "/timeout"),
    ({"timeout": True}, "/timeout"),
    ({"timeout": 1e10}, "/timeout"),
    ({"max_attempts": 0}, "/max_attempts"),
    ({"max_attempts": 1.5}, "/max_attempts"),
    ({"max_attempts": 10**30}, "/max_attempts"),
    ({"max_attempts": "3"}, "/max_attempts"),
    ({"run_at": ""}, "/run_at"),
    ({"run_at": 1}, "/run_at"),
    ({"run_at": "tomorrow"}, "/run_at"),
    ({"run_at": "2030-01-01T00:00:00"}, "/run_at"),
    ({"run_at": "2030-02-30T00:00:00Z"}, "/run_at"),
    ({"run_at": "9999-12-31T23:59:59-23:59"}, "/run_at"),
    ({"run_at": "0001-01-01T00:00:00+14:00"}, "/run_at"),
    ({"expires_at": "9" * 5000}, "/expires_at"),
    ({"delay": -1}, "/delay"),
    ({"delay": 1e300}, "/delay"),
    ({"delay": 1, "run_at": "2030-01-01T00:00:00Z"}, "/delay"),
    ({"unique_key": ""}, "/unique_key"),
    ({"unique_key": "u" * 256}, "/unique_key"),
]


def test_a_bad_task_is_refused_with_a_pointer_alone_and_in_an_array(site: Site) -> None:
    bodies = [{"task_type": "mirror", "data": 1} | options for options, _ in BAD]
    together = site.post("/tasks", [*bodies, {"task_type": "mirror"}])
    assert together.status_code == 202
    *refused, good = together.json["processing_items"]
    assert TOKEN.fullmatch(good["hash"])
    for (options, path), body, bad in zip(BAD, bodies, refused, strict=True):
        alone = site.post("/tasks", body)
        assert problem(alone) == (400, "bad_task"), options
        assert [error["path"] for error in alone.json["errors"]] == [path], options
        assert 0 < len(alone.json["errors"][0]["message"]) <= 300, options
        assert (bad["hash"], bad["errors"]) == ("INVALID_JOB_REQUEST", alone.json["errors"]), options
    assert site.get_json("/tasks")["total"] == 1


def test_a_refusal_lists_every_reason(site: Site) -> None:
    errors = site.post("/tasks", {"task_type": "mirror", "name": 1, "tags": [1], "x": 1}).json["errors"]
    assert {error["path"] for error in errors} == {"", "/name", "/tags/0"}
    errors = site.post("/tasks", {"task_type": "sleep", "data": {"item": 1, "valor": "x"}}).json["errors"]
    assert {error["path"] for error in errors} == {"/data/item", "/data/valor"}


def test_a_body_that_is_neither_an_object_nor_an_array_is_400(site: Site) -> None:
    for body, code in {
        b"": "malformed_json",
        b"{": "malformed_json",
        b'{"data": NaN}': "malformed_json",
        b'{"task_type": "mirror", "name": "\\ud800"}': "malformed_json",
        b"null": "bad_request",
        b"1": "bad_request",
        b'"text"': "bad_request",
        b"true": "bad_request",
    }.items():
        assert problem(site.client.post("/tasks", data=body, content_type="application/json")) == (400, code), body


def test_a_body_must_be_declared_as_json(site: Site) -> None:
    answer = site.client.post("/tasks", data='{"task_type": "mirror"}', content_type="text/plain")
    assert problem(answer) == (415, "unsupported_media_type")


def test_a_batch_name_is_refused_for_a_single_task(site: Site) -> None:
    assert problem(site.post("/tasks?name=mine", {"task_type": "mirror"})) == (400, "bad_parameter")
    assert site.get_json("/tasks")["total"] == 0


@pytest.mark.parametrize("depth", [300, 1000])
def test_data_and_parameters_may_be_deeply_nested(site: Site, depth: int) -> None:
    deep = "[" * depth + "]" * depth
    text = f'{{"task_type": "mirror", "data": {deep}, "parameters": {{"a": {deep}}}}}'
    answer = site.client.post("/tasks", data=text, content_type="application/json")
    assert answer.status_code == 202
    assert answer.json is not None
    shown = site.get(f"/tasks/{answer.json['task_id']}").data
    assert shown.count(b"[" * depth) == 2


# -- an array of tasks -------------------------------------------------------------------------------------


def test_an_array_is_answered_as_a_batch_in_the_order_sent(site: Site) -> None:
    answer = site.post(
        "/tasks", [{"task_type": "sleep", "data": {"item": "a", "valor": 0}}, 5, {"task_type": "mirror"}, []]
    )
    assert answer.status_code == 202
    body = answer.json
    assert body["message"] == "Itens recebidos para processamento"
    lines = body["processing_items"]
    assert [line["index"] for line in lines] == [0, 1, 2, 3]
    assert [line["item"] for line in lines] == ["a", None, None, None]
    assert [TOKEN.fullmatch(line["hash"]) is not None for line in lines] == [True, False, True, False]
    assert answer.headers["Location"] == f"/batches/{body['batch']}"
    found = site.get_json(answer.headers["Location"])
    assert (found["total"], found["accepted"], found["rejected"]) == (4, 2, 2)


@ON_BOTH
def test_an_array_with_only_refused_elements_is_422_with_the_same_body_and_nothing_is_kept(site: Site) -> None:
    taken = site.send(unique_key="k")
    for path, body in {
        "/tasks": [1, None, {"task_type": "no such", "custom_id": "mine"}],
        "/tasks?task_type=uppercase&name=n": [1, [], {}],
        "/tasks?metadata.a=b": [{"task_type": "mirror", "unique_key": "k"}],
    }.items():
        answer = site.post(path, body, KEY)
        assert answer.status_code == 422
        assert set(answer.json) == {"message", "processing_items"}
        assert {line["hash"] for line in answer.json["processing_items"]} == {"INVALID_JOB_REQUEST"}
        assert all(line["errors"] for line in answer.json["processing_items"])
        assert "Location" not in answer.headers
    assert answer.json["processing_items"][0]["duplicate_of"] == taken
    assert site.get_json("/batches")["items"] == []
    assert site.post("/tasks", [{"task_type": "mirror"}], KEY).status_code == 202  # the key is still free


@ON_BOTH
def test_with_a_task_type_in_the_query_the_body_is_the_data_itself(site: Site) -> None:
    answer: Any = site.post("/tasks?task_type=sum_numbers&name=raw", [[1, 2], "x", [3]])
    assert (answer.status_code, answer.json["batch"]) == (202, site.get_json("/batches?name=raw")["items"][0]["id"])
    first, refused, last = answer.json["processing_items"]
    assert (refused["hash"], refused["errors"][0]["path"]) == ("INVALID_JOB_REQUEST", "")
    assert [site.get_json(f"/tasks/{line['hash']}")["data"] for line in (first, last)] == [[1, 2], [3]]
    for data in ("abc", {"task_type": "sleep"}, None, 7):
        answer = site.client.post("/tasks?task_type=mirror", data=json.dumps(data), content_type="application/json")
        assert (answer.status_code, answer.json["task_type"]) == (202, "mirror"), data
        assert site.get_json(answer.headers["Location"])["data"] == data
    assert problem(site.post("/tasks?task_type=no+such", 1))[1] == "bad_parameter"
    assert site.post("/tasks?task_type=uppercase", 1).json["errors"][0]["path"] == ""


@ON_BOTH
def test_a_custom_id_is_kept_returned_and_found_exactly(site: Site) -> None:
    single = site.post("/tasks", {"task_type": "mirror", "custom_id": "a"})
    assert (single.status_code, single.json["custom_id"]) == (202, "a")
    mixed = [{"task_type": "mirror", "custom_id": "a"}, {"task_type": "mirror", "custom_id": "ab"}]
    bad = [{"task_type": "uppercase", "data": 1, "custom_id": "b"}, {"custom_id": "c", "x": 1}, {"custom_id": 7}, {}]
    first, again = (site.post("/tasks", [*mixed, *bad], KEY) for _ in range(2))
    assert again.data == first.data
    said = [line.get("custom_id", "none") for line in first.json["processing_items"]]
    assert said == ["a", "ab", "b", "c", "none", "none"]
    text = site.get(f"/batches/{first.json['batch']}/results").text
    assert [line["custom_id"] for line in map(json.loads, text.splitlines())] == ["a", "ab", "b", "c", None, None]
    tokens = [single.json["task_id"], first.json["processing_items"][0]["hash"]]
    assert [task["task_id"] for task in site.pages("/tasks?custom_id=a", 1)] == tokens[::-1]
    assert site.get_json("/tasks?custom_id=A")["total"] == 0
    assert site.post_json("/tasks/cancel", {"filter": {"custom_id": "a"}, "dry_run": True}) == {
        "matched": 2,
        "changed": 0,
    }


def test_an_empty_array_makes_no_batch(site: Site) -> None:
    answer = site.post("/tasks", [])
    assert answer.status_code == 202
    assert answer.json == {"message": "Itens recebidos para processamento", "processing_items": []}
    assert "Location" not in answer.headers


def test_an_array_above_the_item_limit_is_413(make_runtime: RuntimeFactory) -> None:
    site = Site(make_runtime(MAX_BATCH="2"))
    assert problem(site.post("/tasks", [1, 2, 3])) == (413, "too_many_items")
    assert site.post("/tasks", [{}, 2]).status_code == 202


def test_more_tasks_than_may_be_queued_are_429(make_runtime: RuntimeFactory, valkey_server: str, redis: Any) -> None:
    site = Site(make_runtime(MAX_WAITING="1", REDIS_URL=valkey_server))
    site.send()
    answer = site.post("/tasks", {"task_type": "mirror"})
    assert problem(answer) == (429, "too_many_waiting")
    assert int(answer.headers["Retry-After"]) > 0


# -- options of a task -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("timeout", "status"), [(0.05, "failed"), (0, "finished"), (60, "finished")])
def test_the_timeout_of_a_task_overrides_that_of_its_type(site: Site, timeout: float, status: str) -> None:
    token = site.send(
        task_type="works_until_canceled" if status == "failed" else "reports_its_context", timeout=timeout
    )
    site.work(token)
    shown = site.get_json(f"/tasks/{token}")
    assert shown["status"] == status
    if status == "failed":
        assert shown["error"]["code"] == "timeout"
        assert shown["duration"] < 10
    else:
        assert shown["result"]["deadline"] == (timeout > 0)


@ON_BOTH
@pytest.mark.parametrize("attempts", [1, 3])
def test_a_task_has_as_many_attempts_as_its_max_attempts(site: Site, attempts: int) -> None:
    token = site.send(task_type="fails", max_attempts=attempts)
    for attempt in range(1, attempts):
        site.work(token)
        shown = site.get_json(f"/tasks/{token}")
        assert (shown["status"], shown["attempt"]) == ("scheduled", attempt + 1)
        site.let_time_pass(HOUR)
    site.work(token)
    shown = site.get_json(f"/tasks/{token}")
    assert (shown["status"], shown["attempt"], shown["error"]["code"]) == ("failed", attempts, "error")
    assert [entry["attempt"] for entry in shown["attempts"]] == list(range(1, attempts + 1))


def test_a_function_gets_the_parameters(site: Site) -> None:
    token = site.send(task_type="reports_its_context", parameters={"a": {"b": [1]}})
    site.work(token)
    assert site.get_json(f"/tasks/{token}")["result"]["parameters"] == {"a": {"b": [1]}}


@pytest.mark.parametrize(
    "options", [{"delay": 3600}, {"run_at": "2999-01-01T00:00:00Z"}, {"run_at": "9999-12-31T23:59:59Z"}]
)
def test_a_task_does_not_run_before_its_time(site: Site, options: dict[str, Any]) -> None:
    token = site.send(**options)
    site.let_time_pass(HOUR / 2)
    site.work(token)
    assert site.status(token) == "scheduled"
    if "delay" in options:
        site.let_time_pass(HOUR)
        site.work(token)
        assert site.status(token) == "finished"


@pytest.mark.parametrize(
    "options", [{"delay": 0}, {"delay": 1e-9}, {"run_at": "0001-01-01T00:00:00Z"}, {"run_at": "2020-01-01 00:00:00z"}]
)
def test_a_time_in_the_past_means_now(site: Site, options: dict[str, Any]) -> None:
    token = site.send(**options)
    assert site.status(token) == "queued"
    site.work(token)
    assert site.status(token) == "finished"


@pytest.mark.parametrize("time", ["2020-01-01T00:00:00Z", "0001-01-01T00:00:00Z"])
def test_a_task_that_has_expired_is_never_started(site: Site, time: str) -> None:
    token = site.send(expires_at=time)
    site.work(token)
    assert site.status(token) == "queued"
    site.let_time_pass(timedelta())
    shown = site.get_json(f"/tasks/{token}")
    assert (shown["status"], shown["error"]["code"]) == ("failed", "expired")


def test_the_priority_of_a_task_overrides_that_of_its_type(site: Site) -> None:
    tokens = {priority: site.send(priority=priority) for priority in ("low", "normal", "high")}
    waiting = [task["token"] for task in site.get_json("/queue")["items"]]
    assert waiting == [tokens["high"], tokens["normal"], tokens["low"]]


# -- read --------------------------------------------------------------------------------------------------


def test_the_details_have_the_whole_history_of_a_task(site: Site) -> None:
    token = site.send(task_type="fails", max_attempts=2, data={"item": "x"})
    site.work(token)
    site.let_time_pass(HOUR)
    site.work(token)
    site.post_json(f"/tasks/{token}/retry")
    site.claim(token)
    run = site.get_json(f"/tasks/{token}")["run"]
    note = Note(token=token, run=run, progress=0.5, note="half", lines=("first", "second"))
    site.runtime.store.runs.settle_and_claim((), (), site.runtime.owner.id(), now(), [note])
    site.post_json(f"/tasks/{token}/cancel", {"by": "ana", "reason": "enough"})
    shown = site.get_json(f"/tasks/{token}")
    assert (shown["status"], shown["message"], shown["attempt"], shown["run"]) == ("canceled", "Finalizado", 3, 3)
    assert (shown["canceled_by"], shown["cancel_reason"], shown["error"]) == ("ana", "enough", None)
    assert (shown["progress"], shown["note"]) == (0.5, "half")
    assert [(line["run"], line["text"]) for line in shown["log"]] == [(3, "first"), (3, "second")]
    assert [(entry["attempt"], entry["run"], entry["code"]) for entry in shown["attempts"][:2]] == [
        (1, 1, "error"),
        (2, 2, "error"),
    ]
    assert all("not {'item': 'x'} again" in entry["error"] for entry in shown["attempts"][:2])
    assert all("Traceback" in entry["traceback"] for entry in shown["attempts"][:2])
    events = [(event["event"], event.get("code"), event["run"]) for event in shown["timeline"]]
    assert events == [
        ("created", None, None),
        ("started", None, 1),
        ("failed", "error", 1),
        ("started", None, 2),
        ("failed", "error", 2),
        ("started", None, 3),
        ("canceled", None, 3),
    ]
    times = [event["at"] for event in shown["timeline"]]
    assert times == sorted(times)
    assert all(time.endswith("Z") for time in times)


def test_unchanged_details_are_304_without_a_body(site: Site) -> None:
    token = site.send()
    first = site.get(f"/tasks/{token}")
    etag = first.headers["ETag"]
    again = site.get(f"/tasks/{token}", {"If-None-Match": etag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
    assert site.get(f"/tasks/{token}", {"If-None-Match": '"another"'}).status_code == 200
    head = site.client.head(f"/tasks/{token}")
    assert (head.status_code, head.data, head.headers["ETag"]) == (200, b"", etag)
    site.claim(token)
    changed = site.get(f"/tasks/{token}", {"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != etag


def test_the_status_route_returns_only_the_status(site: Site) -> None:
    token = site.send()
    shown = site.get_json(f"/tasks/{token}/status")
    names = dict.fromkeys(("task_id", "id", "token"), token)
    assert shown == names | {"status": "queued", "message": "Em processamento"}


def test_an_unknown_task_is_404_on_every_route(site: Site) -> None:
    for token in (UNKNOWN, *ILL_FORMED):
        answers = [site.get(f"/tasks/{token}"), site.get(f"/tasks/{token}/status"), site.get(f"/results/{token}")]
        answers += [site.post(f"/tasks/{token}/{verb}") for verb in ("cancel", "retry")]
        answers += [site.post(f"/deadletter/{token}/retry")]
        assert [problem(answer) for answer in answers] == [(404, "task_not_found")] * 6, token
        assert {answer.json["message"] for answer in answers} == {"Job not found"}


def test_an_unknown_path_is_404(site: Site) -> None:
    for path in ("/tasks/", "/tasks//status", "/tasks/a/b/c", "/results/", "/results/a/b", "/tasks/a%0a"):
        assert problem(site.get(path))[0] == 404, path


# -- canceled ----------------------------------------------------------------------------------------------


@ON_BOTH
def test_every_task_that_has_not_ended_can_be_canceled(site: Site) -> None:
    queued, scheduled, running = site.send(), site.send(delay=60), site.send()
    site.claim(running)
    for token in (queued, scheduled, running):
        body = site.post_json(f"/tasks/{token}/cancel", {"by": "ana\0", "reason": "r" * 5000})
        assert (body["status"], body["message"]) == ("canceled", "Finalizado")
        shown = site.get_json(f"/tasks/{token}")
        assert (shown["canceled_by"], len(shown["cancel_reason"])) == ("ana\\x00", 1000)
        site.work(token)
        assert site.status(token) == "canceled"
        again = site.post(f"/tasks/{token}/cancel")
        assert problem(again) == (409, "task_ended")
        assert "canceled" in again.json["message"]


def test_an_ended_task_cannot_be_canceled(site: Site) -> None:
    finished, failed = site.send(), site.send(task_type="fails")
    site.work(finished, failed)
    for token, status in ((finished, "finished"), (failed, "failed")):
        assert problem(site.post(f"/tasks/{token}/cancel")) == (409, "task_ended")
        assert site.status(token) == status


def test_canceled_by_is_the_api_key_unless_the_request_names_someone(site: Site, bearer: KeyMaker) -> None:
    key = bearer("submit")
    tokens = [site.post("/tasks", {"task_type": "mirror"}, key).json["task_id"] for _ in range(2)]
    site.post(f"/tasks/{tokens[0]}/cancel", None, key)
    site.post(f"/tasks/{tokens[1]}/cancel", {"by": "ana"}, key)
    assert [site.get_json(f"/tasks/{token}", key)["canceled_by"] for token in tokens] == ["submit", "ana"]


def test_an_invalid_cancel_request_cancels_nothing(site: Site) -> None:
    token = site.send()
    for body in (
        b"[]",
        b"null",
        b"1",
        b'{"by": 1}',
        b'{"reason": []}',
        b'{"why": "x"}',
        b'{"by": "a"',
        b'{"tokens": []}',
    ):
        answer = site.client.post(f"/tasks/{token}/cancel", data=body, content_type="application/json")
        assert problem(answer)[0] == 400, body
    assert problem(site.client.post(f"/tasks/{token}/cancel", data="by=ana", content_type="text/plain"))[0] == 415
    assert site.status(token) == "queued"


# -- retried -----------------------------------------------------------------------------------------------


@ON_BOTH
def test_a_failed_or_canceled_task_is_retried_with_all_its_attempts(site: Site) -> None:
    failed, canceled = site.send(task_type="fails", max_attempts=2), site.send(delay=60)
    for _ in range(2):
        site.work(failed)
        site.let_time_pass(timedelta(minutes=20))
    site.post_json(f"/tasks/{canceled}/cancel", {"by": "ana"})
    for token in (failed, canceled):
        body = site.post_json(f"/tasks/{token}/retry")
        assert (body["status"], body["message"]) == ("queued", "Em processamento")
    site.work(failed, canceled)
    assert (site.status(failed), site.status(canceled)) == ("scheduled", "finished")
    site.let_time_pass(HOUR)
    site.work(failed)
    assert site.status(failed) == "failed"
    shown = site.get_json(f"/tasks/{canceled}")
    assert [entry["code"] for entry in shown["attempts"]] == ["canceled"]
    assert (shown["canceled_by"], shown["error"]) == (None, None)


def test_only_a_failed_or_canceled_task_can_be_retried(site: Site) -> None:
    queued, running, finished = site.send(), site.send(), site.send()
    site.claim(running)
    site.work(finished)
    for token, status in ((queued, "queued"), (running, "running"), (finished, "finished")):
        for path in ("tasks", "deadletter"):
            answer = site.post(f"/{path}/{token}/retry")
            assert problem(answer) == (409, "task_not_retried")
            assert status in answer.json["message"]
        assert site.status(token) == status


# -- many at once ------------------------------------------------------------------------------------------


@ON_BOTH
def test_many_tasks_are_canceled_and_retried_by_their_tokens(site: Site) -> None:
    _, tokens = site.batch(*[{}] * 5)
    site.work(tokens[0])
    named = [*tokens[:4], tokens[1], UNKNOWN, "no token", "", "\0", "é"]
    assert site.post_json("/tasks/cancel", {"tokens": named, "by": "ana", "reason": "all"}) == {
        "matched": 4,
        "changed": 3,
    }
    assert [site.status(token) for token in tokens] == ["finished", "canceled", "canceled", "canceled", "queued"]
    assert site.get_json(f"/tasks/{tokens[1]}")["cancel_reason"] == "all"
    assert site.post_json("/tasks/retry", {"tokens": named}) == {"matched": 4, "changed": 3}
    assert [site.status(token) for token in tokens] == ["finished", *["queued"] * 4]
    assert site.post_json("/tasks/retry", {"tokens": []}) == {"matched": 0, "changed": 0}


@ON_BOTH
def test_many_tasks_are_canceled_and_retried_by_a_filter(site: Site) -> None:
    red = [site.send(tags=["red"], name="job 1"), site.send(tags=["red"], priority="high")]
    other = site.send()
    assert site.post_json("/tasks/cancel", {"filter": {"tag": "red", "priority": "high"}}) == {
        "matched": 1,
        "changed": 1,
    }
    assert site.post_json("/tasks/cancel", {"filter": {"tag": "red", "status": "queued,running"}}) == {
        "matched": 1,
        "changed": 1,
    }
    assert site.post_json("/tasks/cancel", {"filter": {"batch": UNKNOWN}}) == {"matched": 0, "changed": 0}
    assert [site.status(token) for token in (*red, other)] == ["canceled", "canceled", "queued"]
    assert site.post_json("/tasks/retry", {"filter": {"q": "job"}}) == {"matched": 1, "changed": 1}
    assert site.post_json("/tasks/retry", {"filter": {"status": "finished"}}) == {"matched": 0, "changed": 0}
    assert [site.status(token) for token in (*red, other)] == ["queued", "canceled", "queued"]


BAD_BULK_REQUESTS: list[Any] = [
    None, [], 1, {}, {"tokens": None}, {"tokens": "a"}, {"tokens": [1]}, {"tokens": [["a"]]}, {"tokens": {}},
    {"tokens": [], "filter": {}}, {"filter": None}, {"filter": []}, {"filter": {"x": "y"}}, {"filter": {"batch": 1}},
    {"filter": {"status": "asleep"}}, {"filter": {"status": ""}}, {"filter": {"q": "\0"}}, {"filter": {"code": None}},
    {"filter": {"created_after": "now"}}, {"filter": {"limit": "5"}}, {"tokens": [], "surprise": 1},
]  # fmt: skip


def test_an_invalid_cancel_or_retry_of_many_tasks_changes_nothing(site: Site) -> None:
    waits, canceled = site.send(), site.send()
    site.post_json(f"/tasks/{canceled}/cancel")
    for path, body in itertools.product(("/tasks/cancel", "/tasks/retry"), BAD_BULK_REQUESTS):
        answer = site.post(path, body)
        assert problem(answer)[0] == 400, body
        assert problem(answer)[1] in ("bad_request", "bad_parameter"), body
    assert problem(site.post("/tasks/cancel", {"tokens": [""] * 100_001})) == (413, "too_many_items")
    assert (site.status(waits), site.status(canceled)) == ("queued", "canceled")


def test_a_filter_needs_an_admin_key_and_tokens_a_submit_key(site: Site, bearer: KeyMaker) -> None:
    submit, admin, read = bearer("submit"), bearer("admin"), bearer("read")
    token = site.post("/tasks", {"task_type": "mirror"}, submit).json["task_id"]
    for path in ("/tasks/cancel", "/tasks/retry"):
        refused = site.post(path, {"filter": {}}, submit)
        assert problem(refused) == (403, "forbidden")
        assert "admin" in refused.json["message"]
        assert problem(site.post(path, {"tokens": [token]}, read)) == (403, "forbidden")
        assert problem(site.post(path, {"tokens": [token]})) == (401, "unauthorized")
        assert site.post(path, {"tokens": [token]}, submit).json == {"matched": 1, "changed": 1}
    everything = {"filter": {}, "all": True}
    assert site.post("/tasks/cancel", everything, admin).json == {"matched": 1, "changed": 1}


EMPTY: list[Any] = [{}, {"q": ""}]


@pytest.mark.parametrize("path", ["/tasks/cancel", "/tasks/retry", "/deadletter/retry"])
def test_a_filter_that_selects_all_must_be_meant_and_a_dry_run_changes_nothing(site: Site, path: str) -> None:
    token, other = site.send(task_type="fails"), site.send(task_type="fails")
    if path != "/tasks/cancel":
        site.work(token, other)
    before = site.status(token)
    for wanted in EMPTY:
        for more in ({}, {"all": False}, {"dry_run": True}):
            assert problem(site.post(path, {"filter": wanted, **more})) == (400, "bad_request")
        for name in ("all", "dry_run"):
            assert problem(site.post(path, {"filter": wanted, "all": True, name: 1})) == (400, "bad_request")
        assert site.post_json(path, {"filter": wanted, "all": True, "dry_run": True}) == {"matched": 2, "changed": 0}
    if path != "/deadletter/retry":
        assert site.post_json(path, {"tokens": [token, "x"], "dry_run": True}) == {"matched": 1, "changed": 0}
    assert site.status(token) == before
    assert site.post_json(path, {"filter": {}, "all": True}) == {"matched": 2, "changed": 2}
    assert site.status(token) != before


def test_many_at_once_are_one_line_in_the_log_with_counts(site: Site, news: News) -> None:
    _, tokens = site.batch(*([{}] * 3))
    site.post_json("/tasks/cancel", {"tokens": [*tokens, "x"], "by": "ana", "reason": "why"})
    site.post_json("/tasks/retry", {"filter": {"status": "canceled"}})
    site.post_json("/tasks/cancel", {"tokens": tokens, "dry_run": True})
    assert news.of(events.TasksCanceled) == [events.TasksCanceled(matched=3, changed=3, by="ana", reason="why")]
    assert news.of(events.TasksReopened) == [events.TasksReopened(matched=3, changed=3)]
    assert news.of(events.TaskCanceled) == []
    assert news.of(events.TaskReopened) == []


def test_beside_who_is_said_to_cancel_the_name_of_the_key_is_kept(site: Site, bearer: KeyMaker, news: News) -> None:
    submit = bearer("submit")
    sent = [{"task_type": "mirror"}] * 3
    answer = site.post("/tasks", sent, submit).json
    one, two, three = (line["hash"] for line in answer["processing_items"])
    forged = {"by": "k-admin"}
    site.post(f"/tasks/{one}/cancel", forged, submit)
    site.post("/tasks/cancel", {"tokens": [two], **forged}, submit)
    site.post(f"/batches/{answer['batch']}/cancel", forged, submit)
    for token in (one, two, three):
        shown = site.get_json(f"/tasks/{token}", submit)
        assert (shown["canceled_by"], shown["canceled_key"]) == ("k-admin", "submit")
    assert [event.key for event in news.of(events.TaskCanceled)] == ["submit"]
    assert [event.key for event in news.of(events.TasksCanceled)] == ["submit"] * 2
    site.post(f"/tasks/{one}/retry", None, submit)
    assert site.get_json(f"/tasks/{one}", submit)["canceled_key"] is None


def test_a_long_item_or_result_is_cut_in_lists_and_whole_in_details(site: Site) -> None:
    long, deep, short = {"item": "é" * 5000}, {"item": {"a": ["x" * 5000]}}, {"item": "y" * 1000}
    sent: list[dict[str, Any]] = [long, deep, short]
    tokens = [site.send(data=data) for data in sent]
    waiting = site.get_json("/queue")["items"]
    site.work(*tokens)
    for path in ("/tasks", "/results"):
        shown = {task["task_id"]: task for task in site.get_json(path)["items"]}
        assert shown[tokens[0]]["item"] == "é" * 999 + "…"
        assert shown[tokens[1]]["item"].startswith('{"a":["xxx')
        assert all(len(task["item"]) == 1000 for task in shown.values())
        assert "shortened" not in shown[tokens[2]] or path == "/results"
    assert shown[tokens[0]]["shortened"] == ["item", "result"]
    assert (len(shown[tokens[0]]["result"]), waiting[0]["item"]) == (1000, "é" * 999 + "…")
    for token, data in zip(tokens, sent, strict=True):
        details = site.get_json(f"/tasks/{token}")
        assert (details["item"], details["result"]) == (data["item"], data)


# -- unique keys -------------------------------------------------------------------------------------------


@ON_BOTH
def test_a_second_task_with_the_same_key_returns_the_first_one(site: Site) -> None:
    first = site.send(unique_key="k")
    again = site.post("/tasks", {"task_type": "mirror", "data": 2, "unique_key": "k"})
    assert again.status_code == 200
    assert (again.json["task_id"], again.json["duplicate"], again.json["status"]) == (first, True, "queued")
    assert again.headers["Location"] == f"/tasks/{first}"
    site.claim(first)
    assert site.post("/tasks", {"task_type": "mirror", "unique_key": "k"}).json["status"] == "running"
    other = site.post("/tasks", {"task_type": "reports_its_context", "unique_key": "k"})
    assert other.status_code == 202
    assert site.get_json("/tasks")["total"] == 2


@ON_BOTH
def test_in_an_array_a_duplicate_is_refused_and_names_the_first_task(site: Site) -> None:
    first = site.send(unique_key="k")
    answer = site.post(
        "/tasks",
        [{"task_type": "mirror", "data": {"item": "i"}, "unique_key": key} for key in ("k", "new", "new", "other")],
    )
    old, new, same, other = answer.json["processing_items"]
    for refused, owner in ((old, first), (same, new["hash"])):
        assert (refused["hash"], refused["item"], refused["duplicate_of"]) == ("INVALID_JOB_REQUEST", "i", owner)
        assert [error["path"] for error in refused["errors"]] == ["/unique_key"]
        assert owner in refused["errors"][0]["message"]
    assert TOKEN.fullmatch(other["hash"])
    batch = site.get_json(f"/batches/{answer.json['batch']}")
    assert (batch["accepted"], batch["rejected"]) == (2, 2)
    lines = [json.loads(line) for line in site.get(f"/batches/{batch['id']}/results").data.splitlines()]
    assert [line["status"] for line in lines] == ["rejected", "queued", "rejected", "queued"]


@ON_BOTH
def test_a_key_is_free_after_its_task_has_ended_and_taken_again_by_a_retry(site: Site) -> None:
    first = site.send(unique_key="k", task_type="fails")
    site.work(first)
    second = site.send(unique_key="k", task_type="fails")
    for path in ("tasks", "deadletter"):
        assert problem(site.post(f"/{path}/{first}/retry")) == (409, "unique_key_taken")
    assert site.post_json("/tasks/retry", {"tokens": [first]}) == {"matched": 1, "changed": 0}
    site.post_json(f"/tasks/{second}/cancel")
    assert site.post_json(f"/tasks/{first}/retry")["status"] == "queued"
    assert problem(site.post(f"/tasks/{second}/retry")) == (409, "unique_key_taken")
    assert (site.status(first), site.status(second)) == ("queued", "canceled")


@ON_BOTH
def test_many_requests_at_once_with_one_key_create_one_task(site: Site) -> None:
    answers = at_once(site, 6, lambda client: client.post("/tasks", json={"task_type": "mirror", "unique_key": "k"}))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [202]
    assert len({answer.json["task_id"] for answer in answers}) == 1
    assert site.get_json("/tasks")["total"] == 1


def at_once(site: Site, count: int, request: Any) -> list[Any]:
    """Send a request from several threads at the same time; return the answers."""
    together = threading.Barrier(count)
    answers: list[Any] = []

    def send_once() -> None:
        client = site.app.test_client()
        together.wait(LIMIT)
        answers.append(request(client))

    threads = [threading.Thread(target=send_once) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == count
    return answers


# -- idempotency keys --------------------------------------------------------------------------------------

ONE = {"task_type": "mirror", "data": {"item": 1}}
KEY = {"Idempotency-Key": "k"}


@ON_BOTH
@pytest.mark.parametrize("body", [ONE, [ONE, 5, ONE], []], ids=["one", "many", "none"])
def test_a_request_sent_twice_with_a_key_takes_effect_once(site: Site, body: object) -> None:
    first, again = site.post("/tasks", body, KEY), site.post("/tasks", body, KEY)
    assert (first.status_code, again.status_code, again.data) == (202, 202, first.data)
    assert again.headers.get("Location") == first.headers.get("Location")
    count = site.get_json("/tasks")["total"]
    for other in ({"task_type": "mirror"}, [5]):
        assert problem(site.post("/tasks", other, KEY)) == (422, "idempotency_key_reused")
    assert (
        site.get_json("/tasks")["total"]
        == count
        == (len([element for element in body if element == ONE]) if isinstance(body, list) else 1)
    )
    assert site.post("/api", [], KEY).status_code == 200


def test_a_repeated_request_has_the_current_state_of_the_task(site: Site) -> None:
    token = site.post("/tasks", ONE, KEY).json["task_id"]
    site.work(token)
    again = site.post("/tasks", ONE, KEY)
    assert (again.status_code, again.json["task_id"], again.json["status"]) == (202, token, "finished")


@ON_BOTH
@pytest.mark.parametrize("body", [ONE, [ONE]], ids=["one", "many"])
def test_many_requests_at_once_with_one_idempotency_key_take_effect_once(site: Site, body: object) -> None:
    answers = at_once(site, 6, lambda client: client.post("/tasks", json=body, headers=KEY))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.data for answer in answers}) == 1
    assert site.get_json("/tasks")["total"] == 1


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_an_invalid_idempotency_key_is_400(site: Site, key: str) -> None:
    assert problem(site.post("/tasks", ONE, {"Idempotency-Key": key})) == (400, "bad_idempotency_key")
    assert site.get_json("/tasks")["total"] == 0


def test_a_refusal_leaves_the_idempotency_key_free(site: Site) -> None:
    assert site.post("/tasks", {"task_type": "mirror", "name": 1}, KEY).status_code == 400
    first = site.send(unique_key="u")
    assert site.post("/tasks", {"task_type": "mirror", "unique_key": "u"}, KEY).json["task_id"] == first
    assert site.post("/tasks", ONE, KEY).status_code == 202


@ON_BOTH
def test_a_removed_task_does_not_run_again_within_the_life_of_its_idempotency_key(site: Site) -> None:
    failing = {"task_type": "fails"}
    single = site.post("/tasks", failing, KEY).json["task_id"]
    other = {"Idempotency-Key": "other"}
    batch = site.post("/tasks", [failing, {"task_type": "mirror"}, 7], other).json
    whole = site.post("/tasks", [failing, failing], {"Idempotency-Key": "third"}).json
    lines = batch["processing_items"]
    sent = [line["hash"] for line in (*lines[:2], *whole["processing_items"])]
    site.work(single, *sent)  # all of them: the tasks of a batch stay until it has ended
    assert site.client.delete("/deadletter?older_than=0").json == {"removed": 4}
    again = site.post("/tasks", failing, KEY)
    assert problem(again) == (410, "task_removed")
    assert single in again.json["message"]
    assert site.post("/tasks", [failing, {"task_type": "mirror"}, 7], other).json == {
        **batch,
        "processing_items": lines[1:],
        "removed": 1,
    }
    assert site.post("/tasks", [failing, failing], {"Idempotency-Key": "third"}).json == {
        **whole,
        "processing_items": [],
        "removed": 2,
    }
    assert site.get_json("/tasks")["total"] == 1
    assert problem(site.post("/tasks?name=n", [failing, failing], {"Idempotency-Key": "third"}))[0] == 422
    runtime = site.runtime
    assert runtime.store.idempotency.forget(now() + timedelta(hours=23)) == 0
    site.post("/tasks", [], {"Idempotency-Key": "empty"})
    assert runtime.store.idempotency.forget(now() + timedelta(hours=25)) == 4
    assert site.post("/tasks", failing, KEY).status_code == 202
