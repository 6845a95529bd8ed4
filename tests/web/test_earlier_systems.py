"""The routes and the words of earlier systems, and the sentences about what this one does not have."""

from __future__ import annotations

import json
from functools import partial
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import pytest

from queue_tool.model.state_words import WORDS
from queue_tool.model.states import State
from queue_tool.web.operations.earlier_systems import DROPPED, replacement
from tests.support import System, eventually, http
from tests.web.conftest import KeyMaker
from tests.web.site import ON_BOTH, UNKNOWN, Site, problem
from tests.web.test_lists import LISTS, WITH_PAGES
from tests.web.test_problems import BROWSER

ELSEWHERE = {"Origin": "https://other.example", "Sec-Fetch-Site": "cross-site"}


# -- jobs --------------------------------------------------------------------------------------------------


def test_the_body_of_a_job_is_its_data_only_if_it_is_json(site: Site) -> None:
    bodies: list[tuple[dict[str, Any], object]] = [
        ({"json": {"hello": ["world"]}}, {"hello": ["world"]}),
        ({"json": 0}, 0),
        ({"data": b'{"a": 1}', "content_type": "application/json; charset=utf-8"}, {"a": 1}),
        ({"data": b'{"hello":"world"}', "content_type": "application/x-www-form-urlencoded"}, None),
        ({"data": b"\xff{", "content_type": "text/plain"}, None),
        ({"data": b"{}"}, None),
        ({"content_type": "application/json"}, None),
        ({}, None),
    ]
    for request, data in bodies:
        answer = site.client.post("/enqueue", **request)
        assert (answer.status_code, list(answer.get_json())) == (200, ["job_id"]), request
        token = answer.get_json()["job_id"]
        assert answer.headers["Location"] == f"/tasks/{token}"
        shown = site.get_json(f"/tasks/{token}")
        assert (shown["task_type"], shown["data"], shown["batch"]) == ("echo", data, None)
    refused = site.client.post("/enqueue", data=b"{", content_type="application/json")
    assert problem(refused) == (400, "malformed_json")
    assert site.get_json("/tasks")["total"] == len(bodies)


def test_a_job_is_created_once_for_an_idempotency_key(site: Site) -> None:
    key = {"Idempotency-Key": "k"}
    tokens = {site.client.post("/enqueue", json=1, headers=key).get_json()["job_id"] for _ in range(2)}
    assert len(tokens) == 1
    assert problem(site.client.post("/enqueue", json=2, headers=key)) == (422, "idempotency_key_reused")


def test_a_page_of_another_site_sends_no_job_even_with_a_key_that_the_browser_adds(
    site: Site, bearer: KeyMaker
) -> None:
    key = bearer("submit")
    for request in ({}, {"data": "x"}, {"data": "{}", "content_type": "text/plain"}):
        assert problem(site.client.post("/enqueue", headers=key | ELSEWHERE, **request)) == (403, "forbidden"), request
    assert site.client.post("/enqueue", headers=key, data="x").status_code == 200


def test_a_job_has_a_result_when_it_has_ended(site: Site) -> None:
    token, failing = site.send(data={"a": 1}), site.send(task_type="fails")
    assert site.get_json(f"/check_status?job_id={token}") == {"job_id": token, "job_status": "queued"}
    answer = site.get(f"/get_result?job_id={token}")
    assert problem(answer) == (404, "no_result")
    assert answer.json["message"] == f"No result found for job_id {token}: the task is queued."
    site.work(token, failing)
    task = site.get_json(f"/results/{token}")
    assert site.get_json(f"/get_result?job_id={token}") == {
        "job_id": token,
        "job_enqueued_at": task["created_at"],
        "job_started_at": task["started_at"],
        "input": {"a": 1},
        "result": {"a": 1},
        "status": "finished",
        "error": None,
    }
    failed = site.get_json(f"/get_result?job_id={failing}")
    assert (failed["status"], failed["result"], failed["error"]["code"]) == ("failed", None, "error")
    for path in ("/check_status", "/get_result"):
        assert problem(site.get(f"{path}?job_id={UNKNOWN}")) == (404, "task_not_found")
        for query in ("", "?job_id=a&job_id=b", "?id=a"):
            assert problem(site.get(f"{path}{query}")) == (400, "bad_parameter")


# -- tasks -------------------------------------------------------------------------------------------------


def test_task_is_another_path_of_tasks(site: Site) -> None:
    single = site.post("/task", {"task_type": "mirror", "data": 1})
    assert (single.status_code, single.headers["Location"]) == (202, f"/tasks/{single.json['id']}")
    batch = site.post("/task?task_type=mirror&name=n", [1, 2])
    assert (batch.status_code, len(batch.json["processing_items"])) == (202, 2)
    assert problem(site.post("/task", {"task_type": "none"})) == (400, "bad_task")
    assert problem(site.post("/task?x=1", {})) == (400, "bad_parameter")


def test_a_payload_is_the_data_of_an_echo_task_or_of_the_named_type(site: Site) -> None:
    bodies: list[tuple[dict[str, Any], tuple[str, object, object]]] = [
        ({"Payload": {"a": 1}, "Parameters": {"b": "c"}}, ("echo", {"a": 1}, {"b": "c"})),
        ({"payload": None}, ("echo", None, None)),
        ({"Parameters": {"b": "c"}}, ("echo", None, {"b": "c"})),
        ({"payload": 1, "parameters": {"b": 1}, "task_type": "mirror", "priority": "high"}, ("mirror", 1, {"b": 1})),
        ({"parameters": {"b": 1}}, ("simulate", None, {"b": 1})),
    ]
    sent = [site.post("/tasks", body).json["id"] for body, _ in bodies]
    received = site.post("/tasks", [body for body, _ in bodies]).json["processing_items"]
    for token, (_, expected) in zip([*sent, *(element["hash"] for element in received)], bodies * 2, strict=True):
        shown = site.get_json(f"/tasks/{token}")
        assert (shown["task_type"], shown["data"], shown["parameters"]) == expected


def test_a_payload_that_is_refused_is_named_as_the_client_wrote_it(site: Site) -> None:
    bodies: list[tuple[dict[str, Any], str, str]] = [
        ({"Payload": 1, "data": 1}, "/data", "Payload and data mean the same: send only one of them."),
        ({"PAYLOAD": 1, "task_type": "uppercase"}, "/PAYLOAD", "1 is not of type 'string'"),
        ({"Payload": {"a/b": ["x"]}, "task_type": "strict"}, "/Payload/a~1b/0", "\"x\" is not of type 'integer'"),
        ({"Payload": 1, "Parameters": []}, "/Parameters", "[] is not of type 'object', 'null'"),
        ({"Payload": 1, "custom_id": "mine", "delay": -1}, "/delay", "-1 is less than the minimum of 0"),
        ({"Payload": 1, "task_type": "none"}, "/task_type", "There is no task type 'none'."),
    ]
    for body, path, message in bodies:
        answer = site.post("/tasks", body)
        assert problem(answer) == (400, "bad_task")
        assert answer.json["errors"] == [{"path": path, "message": message}], body
    elements = site.post("/tasks", [body for body, _, _ in bodies]).json["processing_items"]
    assert [element["errors"][0]["path"] for element in elements] == [path for _, path, _ in bodies]
    assert elements[4]["custom_id"] == "mine"


def test_the_details_are_those_of_the_task(site: Site) -> None:
    token = site.send(name="n")
    assert site.get_json(f"/tasks/{token}/details") == site.get_json(f"/tasks/{token}")
    assert problem(site.get(f"/tasks/{UNKNOWN}/details")) == (404, "task_not_found")


def test_who_cancels_may_be_named_as_earlier(site: Site) -> None:
    said: list[tuple[dict[str, str | None], str]] = [
        ({"cancelledBy": "ana"}, "ana"),
        ({"cancelledBy": "ana", "by": "bob"}, "bob"),
        ({"cancelledBy": None}, ""),
    ]
    for body, expected in said:
        token = site.send()
        site.post_json(f"/tasks/{token}/cancel", body | {"reason": "r"})
        shown = site.get_json(f"/tasks/{token}")
        assert (shown["canceled_by"], shown["cancel_reason"]) == (expected, "r")
    assert problem(site.post(f"/tasks/{site.send()}/cancel", {"cancelled_by": "ana"})) == (400, "bad_request")


@ON_BOTH
def test_a_search_finds_the_tasks_that_match_all_of_its_filters(site: Site) -> None:
    high = site.send(priority="high", tags=["red"])
    plain = site.send(name=high)  # whose name begins with the token of another
    low = site.send(priority="low", tags=["red"], delay=60)
    site.work(plain)
    times = [quote(site.get_json(f"/tasks/{token}")["created_at"]) for token in (high, plain, low)]

    def found(query: str) -> list[str]:
        return [task["id"] for task in site.pages(f"/tasks/search?{query}", 1)]

    assert found("") == [low, plain, high]
    assert found("status=completed") == [plain]
    assert found("status=pending,scheduled") == [low, high]
    assert found(f"id={high}") == [high]
    assert found(f"id={high[:8]}") == found("id=") == [low, plain, high]
    assert found("id=x") == []
    assert found("tag=red") == [low, high]
    for number, word, token in (("0", "low", low), ("50", "normal", plain), ("100", "high", high)):
        assert found(f"priority={number}") == found(f"priority={word}") == [token]
    assert found(f"createdAfter={times[0]}") == [low, plain]
    assert found(f"createdBefore={times[2]}") == [plain, high]
    assert found(f"createdAfter={times[0]}&id={plain}&status=completed") == [plain]
    for query in ("priority=1", "createdAfter=now", "status=asleep", "created_after=2026-01-01T00:00:00Z"):
        assert problem(site.get(f"/tasks/search?{query}")) == (400, "bad_parameter")


def test_a_run_of_simulate_has_a_log(lasting_system: System) -> None:
    url = lasting_system.url

    def written(token: str, lines: list[str]) -> bool:
        return lines == [line["text"] for line in http("GET", url(f"/tasks/{token}")).json["log"]]

    for failure, last in ((0, "Ended."), (1, "Fails on purpose.")):
        task = {"data": {"min": 0, "max": 0, "failure": failure}, "max_attempts": 1}
        token = http("POST", url("/tasks"), task).json["id"]
        expected = ["Started: this run takes 0.00 seconds.", last]
        eventually(partial(written, token, expected))


# -- words for states --------------------------------------------------------------------------------------


def test_a_filter_understands_the_states_of_earlier_systems(site: Site) -> None:
    batch, (queued, running, finished, failed, canceled, _) = site.batch(
        {}, {}, {}, {"task_type": "fails"}, {}, {"delay": 60}
    )
    site.work(finished, failed)
    site.claim(running)
    site.post_json(f"/tasks/{canceled}/cancel")
    states = {task["id"]: State(task["status"]) for task in site.get_json("/tasks")["items"]}
    assert set(states.values()) == set(State)
    assert states[queued] is State.QUEUED
    for word, selected in WORDS.items():
        expected = {token for token, state in states.items() if state in selected}
        assert {task["id"] for task in site.get_json(f"/tasks?status={quote(word)}")["items"]} == expected, word
    for word, count in (("completed", 1), ("processing", 1), ("Создана", 2)):
        query = f"status={quote(word)}"
        assert site.get_json(f"/tasks/search?{query}")["total"] == count
        assert len(site.get(f"/batches/{batch}/results?{query}").text.splitlines()) == count
        changed = site.post_json("/tasks/cancel", {"filter": {"status": word}, "dry_run": True})
        assert changed["matched"] == (0 if word == "completed" else count)
        assert site.get(f"/results?{query}").status_code == (200 if word == "completed" else 400)
    mixed = site.get_json(f"/tasks?status=completed,failed&status={quote('Создана')}")
    assert mixed["total"] == 4


def test_the_sentence_about_an_unknown_state_names_only_our_own(site: Site) -> None:
    answer = site.get("/tasks?status=asleep")
    assert answer.json["message"] == f"status must be one of {', '.join(State)}, not 'asleep'."
    assert "'pending'" in site.get("/results?status=pending").json["message"]
    parameters = site.get_json("/openapi.json")["paths"]["/tasks"]["get"]["parameters"]
    (status,) = (each for each in parameters if each.get("name") == "status")
    shown = json.dumps(site.get_json("/openapi.json"))
    assert status["schema"]["items"]["$ref"] == "#/components/schemas/State"
    assert "dead-lettered" not in shown


# -- what was dropped --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["skip", "offset", "page", "pageSize"])
def test_a_list_refuses_page_numbers_and_names_its_own_parameters(site: Site, name: str) -> None:
    for path in (*WITH_PAGES, "/tasks/search"):
        answer = site.get(f"{path}?{name}=1")
        assert problem(answer) == (400, "bad_parameter")
        assert answer.json["message"] == (
            f"This list has no parameter {name}. Set the size of a page with `limit`, "
            "and send `next` of the page before as `cursor`."
        )
    (without_pages,) = set(LISTS) - set(WITH_PAGES)
    assert "takes no parameters" in site.get(f"{without_pages}?{name}=1").json["message"]


def test_a_dropped_route_answers_with_what_to_use_instead(site: Site) -> None:
    for method, path, sentence in DROPPED:
        for address in (path.replace("/*", "/a"), path.removesuffix("/*") + "/"):
            expected = replacement(method or "POST", address)
            assert expected is not None
            answer = site.client.open(address, method=method or "POST")
            is_405 = address == "/enqueue"
            assert problem(answer) == ((405, "method_not_allowed") if is_405 else (404, "not_found")), address
            assert answer.get_json()["message"] == expected
        page = site.client.open(path.replace("/*", "/a"), method=method or "GET", headers={"Accept": BROWSER})
        assert (page.mimetype, page.status_code) == ("text/html", 405 if path == "/enqueue" else 404)
        assert sentence.partition(". ")[0] in page.text


def test_every_entry_is_reached_and_its_sentence_says_what_to_use() -> None:
    for method, path, sentence in DROPPED:
        assert replacement(method or "PATCH", path.replace("/*", "/a")) == sentence
    for (method, path, _), (next_method, next_path, _) in pairwise(DROPPED):
        assert (method, path) != (next_method, next_path)


def test_other_addresses_have_the_usual_sentence(site: Site) -> None:
    for method, path in (("POST", "/worker"), ("GET", "/workers"), ("GET", "/clusters"), ("GET", "/"), ("PUT", "/x/")):
        assert replacement(method, path) is None
    assert site.get("/api/queue/alldata").json["message"] == "There is nothing at this address."
    assert site.client.delete("/enqueue").get_json()["message"] == "This address does not support this HTTP method."
    head = site.client.head("/enqueue")
    assert (head.status_code, head.headers["Allow"]) == (405, "OPTIONS, POST")
