"""`/api/queue`: messages are pushed and popped. Every answer has `success`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from queue_tool.model.message import LONGEST_MESSAGE
from tests.conftest import RuntimeFactory
from tests.support import now
from tests.web.conftest import KeyMaker
from tests.web.site import ON_BOTH, Site, problem

MILLISECOND = timedelta(milliseconds=1)
"""The resolution of the times in answers."""

NOTHING = {"message": "Nada para expurgar", "success": False}


def push(site: Site, message: object, query: str = "") -> None:
    assert site.post_json(f"/api/queue/push{query}", {"message": message}) == {"message": message, "success": True}


def pop(site: Site, query: str = "") -> Any:
    return site.post_json(f"/api/queue/pop{query}")


@ON_BOTH
def test_messages_are_popped_in_their_order_and_then_there_is_nothing(site: Site) -> None:
    for number in range(3):
        push(site, f"message {number}")
    counted = site.get_json("/api/queue/count")
    assert {key: counted[key] for key in ("message", "count", "success")} == {
        "message": "3",
        "count": 3,
        "success": True,
    }
    assert datetime.fromisoformat(counted["oldest"]) <= now()
    assert site.get_json("/api/queue/all")["messages"] == ["message 0", "message 1", "message 2"]
    assert [pop(site)["message"] for _ in range(3)] == ["message 0", "message 1", "message 2"]
    assert pop(site) == NOTHING
    assert site.get_json("/api/queue/count") == {
        "message": "0",
        "count": 0,
        "leased": 0,
        "oldest": None,
        "success": True,
    }
    assert site.get_json("/api/queue/all") == {"messages": [], "next": None, "success": True}


@pytest.mark.parametrize(
    "message", [0, False, True, 1.5, "0", " ", "\0", "ação ✓", [], {}, [None], {"a": {"b": [1, 2.5, "c"]}}, 2**64]
)
def test_any_json_but_null_and_the_empty_string_is_a_message(site: Site, message: Any) -> None:
    push(site, message)
    popped = pop(site)
    expected = float(message) if message == 2**64 else message  # as everywhere, integers beyond 64 bits become doubles
    assert (popped["message"], type(popped["message"])) == (expected, type(expected))
    assert popped["success"] is True


def test_a_message_may_be_as_deep_as_a_body(site: Site) -> None:
    deep = "[" * 1000 + "]" * 1000
    answer = site.client.post("/api/queue/push", data=f'{{"message":{deep}}}', content_type="application/json")
    assert answer.status_code == 200
    assert site.client.post("/api/queue/pop").text == f'{{"message":{deep},"success":true,"deliveries":1}}\n'


@pytest.mark.parametrize("body", [None, {}, {"message": ""}, {"message": None}])
def test_an_empty_message_is_refused_with_404(site: Site, body: object) -> None:
    answer = site.post("/api/queue/push", body)
    assert problem(answer) == (404, "empty_message")
    assert answer.json["success"] is False
    assert site.get_json("/api/queue/count")["count"] == 0


def test_a_message_may_have_one_mebibyte(site: Site) -> None:
    push(site, "x" * (LONGEST_MESSAGE - 2))
    refused = site.post("/api/queue/push", {"message": "x" * (LONGEST_MESSAGE - 1)})
    assert problem(refused) == (413, "message_too_large")
    assert refused.json["success"] is False
    assert site.get_json("/api/queue/count")["count"] == 1


def test_the_queues_have_names_and_room_for_so_many_messages_together(make_runtime: RuntimeFactory) -> None:
    site = Site(make_runtime(MAX_MESSAGES="3"))
    push(site, 1)
    push(site, 2, "?queue=default")
    push(site, 3, "?queue=f%C3%AD%20la/%F0%9F%90%87")
    full = site.post("/api/queue/push", {"message": 4})
    assert problem(full) == (429, "too_many_messages")
    assert (full.json["success"], full.headers["Retry-After"]) == (False, "30")
    listed = site.get_json("/api/queue")
    assert [(queue["name"], queue["count"]) for queue in listed["items"]] == [("default", 2), ("fí la/🐇", 1)]
    assert (listed["total"], listed["next"], listed["success"]) == (2, None, True)
    assert pop(site, "?queue=fí la/🐇")["message"] == 3
    push(site, 5, "?queue=other")
    assert [pop(site)["message"] for _ in range(2)] == [1, 2]
    assert pop(site) == NOTHING


@ON_BOTH
def test_a_leased_message_is_removed_when_it_is_acknowledged(site: Site) -> None:
    push(site, "a")
    push(site, "b")
    asked_at = now()
    first, second = pop(site, "?lease=30"), pop(site, "?lease=43200")
    answered_at = now()
    assert [(each["message"], each["deliveries"], each["success"]) for each in (first, second)] == [
        ("a", 1, True),
        ("b", 1, True),
    ]
    leased_at = datetime.fromisoformat(first["leased_until"]) - timedelta(seconds=30)
    assert asked_at - MILLISECOND <= leased_at <= answered_at + MILLISECOND
    counted = site.get_json("/api/queue/count")
    assert (counted["count"], counted["leased"], counted["oldest"]) == (0, 2, None)
    assert pop(site) == NOTHING
    acknowledged = site.post_json("/api/queue/ack", {"receipt": first["receipt"]})
    assert acknowledged == {"message": "acknowledged", "success": True}
    returned = site.post_json("/api/queue/nack", {"receipt": second["receipt"]})
    assert returned == {"message": "returned", "success": True}
    assert {**pop(site), "receipt": None} == {"message": "b", "success": True, "deliveries": 2, "receipt": None}


@pytest.mark.parametrize("receipt", ["", "x", "\0", "0" * 32, "é" * 32, "a" * 10_000])
@pytest.mark.parametrize("path", ["/api/queue/ack", "/api/queue/nack"])
def test_an_unknown_receipt_is_404(site: Site, path: str, receipt: str) -> None:
    push(site, "a")
    pop(site, "?lease=30")
    answer = site.post(path, {"receipt": receipt})
    assert problem(answer) == (404, "receipt_not_found")
    assert answer.json["success"] is False
    assert site.get_json("/api/queue/count")["leased"] == 1


def test_the_messages_are_read_page_by_page_and_stay(site: Site) -> None:
    for number in range(5):
        push(site, {"n": number}, "?queue=a")
    found: list[Any] = []
    cursor = ""
    while True:
        page = site.get_json(f"/api/queue/all?queue=a&limit=2{cursor}")
        found += page["messages"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert found == [{"n": number} for number in range(5)]
    assert site.get_json("/api/queue/count?queue=a")["count"] == 5
    assert problem(site.get("/api/queue/all?cursor=x")) == (400, "bad_cursor")


def test_an_admin_empties_a_queue(site: Site, bearer: KeyMaker) -> None:
    for number in range(3):
        push(site, number, "?queue=a")
    push(site, "kept")
    pop(site, "?queue=a&lease=60")
    refused: Any = site.client.delete("/api/queue/all?queue=a", headers=bearer("submit"))
    assert (refused.status_code, refused.json["success"]) == (403, False)
    admin = bearer("admin")
    purged = site.client.delete("/api/queue/all?queue=a", headers=admin)
    assert (purged.status_code, purged.json) == (200, {"message": "3", "removed": 3, "success": True})
    queues = site.get_json("/api/queue", admin)["items"]
    assert [queue["name"] for queue in queues] == ["default"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/queue/push", None, 405),
        ("GET", "/api/queue/pop", None, 405),
        ("POST", "/api/queue/nothing", None, 404),
        ("POST", "/api/queue/push?queue=", {"message": 1}, 400),
        ("POST", f"/api/queue/push?queue={'x' * 256}", {"message": 1}, 400),
        ("POST", "/api/queue/push?queue=%00", {"message": 1}, 400),
        ("POST", "/api/queue/push?que=a", {"message": 1}, 400),
        ("POST", "/api/queue/push", ["message"], 400),
        ("POST", "/api/queue/push", {"message": 1, "queue": "a"}, 400),
        ("POST", "/api/queue/pop?lease=0", None, 400),
        ("POST", "/api/queue/pop?lease=43201", None, 400),
        ("POST", "/api/queue/pop?lease=1.5", None, 400),
        ("POST", "/api/queue/pop", {"receipt": "a"}, 400),
        ("POST", "/api/queue/ack", {}, 400),
        ("POST", "/api/queue/ack", {"receipt": 1}, 400),
        ("GET", "/api/queue/all?limit=1001", None, 400),
        ("GET", "/api/queue/all?skip=1", None, 400),
    ],
)
def test_every_error_says_that_there_was_no_success(
    site: Site, method: str, path: str, body: object, status: int
) -> None:
    answer: Any = site.client.open(path, method=method, json=body)
    assert (answer.status_code, answer.json["success"]) == (status, False)


def test_a_body_that_is_no_json_and_a_client_without_a_key_are_no_success_either(site: Site, bearer: KeyMaker) -> None:
    for data, media_type, status in (
        (b'{"message": ', "application/json", 400),
        (b'{"message": "a"}', "application/x-www-form-urlencoded", 415),
        (b'{"message": "a"}', "", 415),
    ):
        answer: Any = site.client.post("/api/queue/push", data=data, content_type=media_type)
        assert (answer.status_code, answer.json["success"]) == (status, False)
    bearer("read")
    answer = site.post("/api/queue/pop")
    assert (answer.status_code, answer.json["success"]) == (401, False)
    assert "success" not in site.get("/unknown").json


@ON_BOTH
def test_a_pop_waits_for_a_message_as_long_as_it_prefers(site: Site) -> None:
    at_once = site.post("/api/queue/pop", headers={"Prefer": "wait=0"})
    assert (at_once.json, at_once.headers["Preference-Applied"]) == (NOTHING, "wait=0")
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(site.app.test_client().post, "/api/queue/pop?lease=9", headers={"Prefer": "wait=60"})
        push(site, "a")
        answer: Any = waiting.result(30)
    assert (answer.json["message"], answer.headers["Preference-Applied"]) == ("a", "wait=60")
    assert answer.headers["Vary"] == "Prefer"


def test_a_pop_is_answered_at_once_if_too_many_requests_wait(make_runtime: RuntimeFactory) -> None:
    site = Site(make_runtime(MAX_WAITS="0"))
    answer = site.post("/api/queue/pop", headers={"Prefer": "wait=60"})
    assert (answer.json, "Preference-Applied" in answer.headers) == (NOTHING, False)
