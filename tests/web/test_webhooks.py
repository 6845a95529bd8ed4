"""`/webhooks`: register, change and test them; and what a receiver gets, verified by the library of the standard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from queue_tool.model.webhook import PAUSES
from queue_tool.runtime import Runtime
from queue_tool.services.deliver import Deliver
from tests.conftest import News, RuntimeFactory, application
from tests.receiver import Receiver, Request, receiver
from tests.support import LIMIT
from tests.web.site import UNKNOWN, problem
from tests.web.test_metrics import scraped, value

GOOD = {"item": "a", "valor": 0}
FAILING = {"task_type": "simulate", "data": {"min": 0, "max": 0, "failure": 1}}
SOON = {"task_type": "uppercase", "data": "a"}


@pytest.fixture
def hooks() -> Iterator[Receiver]:
    """A receiver on this machine."""
    with receiver() as running:
        yield running


@pytest.fixture
def system(make_runtime: RuntimeFactory) -> Runtime:
    """A system that runs each task in the request that sends it. Its webhooks may reach this machine."""
    return make_runtime(WEBHOOK_ALLOW="127.0.0.1")


@pytest.fixture
def site(system: Runtime) -> Any:
    """A client of that system."""
    return application(system).test_client()


def deliver(system: Runtime, webhook: str | None = None) -> None:
    """Send what waits, as the sweeper's process does, without the pause before the next message."""
    sending: Deliver = system.deliver()
    if webhook is not None:
        system.store.webhooks.enable(webhook)
    sending()
    assert sending.wait_idle(LIMIT)


def register(site: Any, url: str, events: list[str], **more: Any) -> Any:
    answer = site.post("/webhooks", json={"url": url, "events": events, **more})
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/webhooks/{answer.json['id']}")
    return answer.json


def verified(request: Request, *secrets: str) -> Any:
    """Return what a message says, after each secret has verified it."""
    found: list[Any] = [Verifier(secret).verify(request.body, dict(request.headers)) for secret in secrets]
    return found[0]


def test_a_receiver_gets_what_ended_signed_and_in_order(site: Any, system: Runtime, hooks: Receiver) -> None:
    made = register(site, hooks.url("/ok"), ["all"], headers={"Authorization": "Bearer 7"}, description="all of it")
    one = site.post("/tasks", json=SOON | {"custom_id": "order-7"}).json["token"]
    deliver(system)
    (request,) = hooks.wait_for(1)
    assert (request.headers["authorization"], request.headers["content-type"]) == ("Bearer 7", "application/json")
    message = verified(request, made["secret"])
    end = message["data"]
    assert (message["type"], message["timestamp"]) == ("task.finished", end["finished_at"])
    assert (end["id"], end["token"], end["custom_id"], end["result"]) == (f"{one}-1", one, "order-7", "A")

    batch = site.post("/api?name=import", json=[GOOD, {}]).json["batch"]
    failed = site.post("/tasks", json=FAILING).json["token"]
    deliver(system, made["id"])
    message = verified(hooks.wait_for(2)[1], made["secret"])
    assert message["type"] == "ends"
    ended, finished, last = message["data"]
    assert [each["type"] for each in message["data"]] == ["task.finished", "batch.finished", "task.failed"]
    assert (ended["batch"], ended["error"], last["token"], last["code"]) == (batch, None, failed, "error")
    assert [finished[key] for key in ("batch", "name", "total", "rejected", "finished")] == [batch, "import", 2, 1, 1]

    kept = site.get(f"/webhooks/{made['id']}/deliveries").json["items"]
    assert [(each["outcome"], each["status"], each["answer"], each["ends"]) for each in kept] == [
        ("delivered", 200, "thank you", 3),
        ("delivered", 200, "thank you", 1),
    ]
    again = site.post(f"/webhooks/{made['id']}/redeliver", json={"message": kept[1]["message"]})
    assert again.json == {"ends": 1}
    deliver(system)
    third = hooks.wait_for(3)[2]
    assert third.headers["webhook-id"] == request.headers["webhook-id"]
    assert verified(third, made["secret"])["data"] == end


def test_both_secrets_are_valid_after_a_rotation(site: Any, system: Runtime, hooks: Receiver) -> None:
    made = register(site, hooks.url("/ok"), ["completed"])
    new = site.post(f"/webhooks/{made['id']}/rotate").json
    assert new["secret"] != made["secret"]
    tested = site.post(f"/webhooks/{made['id']}/test").json
    assert (tested["type"], tested["outcome"], tested["status"]) == ("webhook.test", "tested", 200)
    assert verified(hooks.wait_for(1)[0], made["secret"], new["secret"]) == {
        "type": "webhook.test",
        "timestamp": tested["at"],
        "data": {"webhook": made["id"]},
    }


def test_a_task_or_a_batch_may_name_its_own_receiver(site: Any, system: Runtime, hooks: Receiver) -> None:
    url = hooks.url("/ok")
    token = site.post("/tasks", json=SOON | {"webhook": url}).json["token"]
    assert site.get(f"/tasks/{token}").json["webhook"] == url
    batch = site.post("/api", json=[GOOD], query_string={"webhook": url}).json["batch"]
    opened = site.post("/batches", json={"webhook": url}).json["id"]
    site.post(f"/batches/{opened}/seal")
    deliver(system)
    (request,) = hooks.wait_for(1)
    message = verified(request, site.get("/webhooks/secret").json["secret"])
    assert [each["id"].partition("-")[0] for each in message["data"]] == [token, batch, opened]
    (own,) = site.get("/webhooks").json["items"]
    assert (own["own"], own["url"], own["events"], own["waiting"]) == (True, url, [], 0)
    assert problem(site.post(f"/webhooks/{own['id']}/rotate"))[1] == "webhook_not_found"
    for wrong in ("ftp://a.example/", "http://user:pass@a.example/", "https://[::1", "x"):
        assert site.post("/tasks", json=SOON | {"webhook": wrong}).json["errors"][0]["path"] == "/webhook"
        assert problem(site.post("/api", json=[], query_string={"webhook": wrong})) == (400, "bad_webhook")


def test_what_is_not_delivered_waits_and_410_ends_it(site: Any, system: Runtime, hooks: Receiver, news: News) -> None:
    failing, gone = register(site, hooks.url("/fails"), ["all"]), register(site, hooks.url("/gone"), ["all"])
    for _ in range(2):
        site.post("/tasks", json=SOON)
    deliver(system)
    hooks.wait_for(2)
    (tried,) = site.get(f"/webhooks/{failing['id']}/deliveries").json["items"]
    assert (tried["outcome"], tried["status"], tried["answer"], tried["tries"]) == ("retried", 500, "not today", 1)
    waits, ended = (site.get(f"/webhooks/{made['id']}").json for made in (failing, gone))
    assert (waits["waiting"], waits["tries"], waits["disabled_at"]) == (2, 1, None)
    assert (ended["waiting"], ended["disabled_why"]) == (0, "the receiver answered 410")
    assert problem(site.post(f"/webhooks/{gone['id']}/redeliver", json={"since": "2026-01-01T00:00:00Z"})) == (
        409,
        "webhook_disabled",
    )
    hooks.answers["/gone"] = hooks.answers["/ok"]
    assert site.post(f"/webhooks/{gone['id']}/enable").json["disabled_at"] is None
    assert site.post(f"/webhooks/{gone['id']}/redeliver", json={"since": "2026-01-01T00:00:00Z"}).json == {"ends": 2}
    deliver(system)
    deliver(system)  # the pause of the one that fails is not over
    assert len(hooks.wait_for(3)) == 3

    row = system.store.deliveries.row_of(failing["id"])
    assert row is not None
    for _ in PAUSES:
        with system.store.database.write() as connection:
            connection.exec_driver_sql("UPDATE webhooks SET next_at = 0")
        system.deliver().send(row)
    given_up = site.get(f"/webhooks/{failing['id']}").json
    assert (given_up["waiting"], given_up["tries"]) == (0, 0)
    outcomes = [each["outcome"] for each in site.get(f"/webhooks/{failing['id']}/deliveries").json["items"]]
    assert outcomes == ["parked", *["retried"] * len(PAUSES)]
    counted = scraped(site, system)
    tries = [("delivered", "2xx", 1), ("disabled", "4xx", 1), ("retried", "5xx", len(PAUSES)), ("parked", "5xx", 1)]
    for outcome, status, number in tries:
        assert value(counted, "webhook_messages_total", outcome=outcome, status=status) == number
    assert value(counted, "webhook_ends_delivered_total") == 2
    assert value(counted, "webhook_request_seconds_count") == 1


def test_a_receiver_that_hangs_holds_up_nobody_else(site: Any, system: Runtime, hooks: Receiver) -> None:
    register(site, hooks.url("/hangs"), ["all"])
    made = register(site, hooks.url("/ok"), ["all"])
    site.post("/tasks", json=SOON)
    sending = system.deliver()
    sending()
    assert {request.target for request in hooks.wait_for(2)} == {"/hangs", "/ok"}
    hooks.close()
    assert sending.wait_idle(LIMIT)
    assert site.get(f"/webhooks/{made['id']}").json["waiting"] == 0


def test_webhooks_are_listed_and_deleted_and_show_no_secret(site: Any, system: Runtime) -> None:
    first = register(site, "http://127.0.0.1:9/1", ["dead-lettered", "cancelled"], headers={"X-Key": "hidden"})
    second = register(site, "http://127.0.0.1:9/2", ["batch.finished"], batch=UNKNOWN)
    assert first["events"] == ["task.failed", "task.canceled"]
    assert first["createdAt"] == first["created_at"]
    page = site.get("/webhooks?limit=1")
    assert (page.json["total"], [each["id"] for each in page.json["items"]]) == (2, [second["id"]])
    rest = site.get(f"/webhooks?limit=1&cursor={page.json['next']}").json
    assert ([each["id"] for each in rest["items"]], rest["next"]) == ([first["id"]], None)
    found = site.get(f"/webhooks/{first['id']}")
    assert found.json["headers"] == ["X-Key"]
    assert first["secret"] not in found.text + page.text
    assert "hidden" not in found.text + page.text
    tested = site.post(f"/webhooks/{first['id']}/test").json
    assert (tested["status"], "failed" in tested["problem"]) == (None, True)
    assert site.delete(f"/webhooks/{first['id']}").json["status"] == "Webhook unregistered"
    for method, path in [("GET", ""), ("DELETE", ""), ("GET", "/deliveries"), ("POST", "/enable"), ("POST", "/test")]:
        for webhook in (first["id"], "ill-formed"):
            answer = site.open(f"/webhooks/{webhook}{path}", method=method)
            assert problem(answer) == (404, "webhook_not_found")


def test_bad_webhooks_are_refused_in_one_sentence(site: Any) -> None:
    url = "http://127.0.0.1:9/"
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"url": "http://10.0.0.1/", "events": ["all"]}, "QUEUE_TOOL_WEBHOOK_ALLOW"),
        ({"url": "gopher://a.example/", "events": ["all"]}, "https://"),
        ({"url": url, "events": []}, "needs events"),
        ({"url": url, "events": ["task.done"]}, "no event 'task.done'"),
        ({"url": url, "events": ["batch.finished"], "tag": "a"}, "no task type"),
        ({"url": url, "events": ["all"], "headers": {"Host": "a"}}, "Host"),
        ({"url": url, "events": ["all"], "headers": {"X": "a\r\nb"}}, "X"),
        ({"url": url, "events": ["all"], "description": "a\0"}, "U+0000"),
    ]
    for body, words in wrong:
        answer = site.post("/webhooks", json=body)
        assert problem(answer) == (400, "bad_webhook")
        assert words in answer.json["message"]
    for body in ({"url": url}, {"url": url, "events": ["all"], "id": "mine"}, {"url": url, "events": "all"}):
        assert problem(site.post("/webhooks", json=body)) == (400, "bad_request")
    made = register(site, url, ["all"])
    for body in ({}, {"message": "a", "since": "b"}, {"since": "yesterday"}):
        assert problem(site.post(f"/webhooks/{made['id']}/redeliver", json=body)) == (400, "bad_request")
    assert problem(site.post(f"/webhooks/{made['id']}/redeliver", json={"message": "\0a"})) == (
        404,
        "delivery_not_found",
    )
    assert site.get("/webhooks").json["total"] == 1


def test_a_long_result_is_left_out_of_a_message(site: Any, system: Runtime, hooks: Receiver) -> None:
    register(site, hooks.url("/ok"), ["task.finished"])
    site.post("/tasks?task_type=uppercase", json=["a" * 20_000, "b"])
    deliver(system)
    (request,) = hooks.wait_for(1)
    data = json.loads(request.body)["data"]
    assert [each.get("result") for each in data] == [None, "B"]
