"""Lists over HTTP: filters, pages and their links, totals, and the parameters that a query may have."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from queue_tool.services.listing import MOST_COUNTED
from queue_tool.store import Process
from tests.runs import claim_runs
from tests.support import now
from tests.web.conftest import KeyMaker
from tests.web.site import ON_BOTH, UNKNOWN, Site, problem

LISTS = ("/tasks", "/results", "/deadletter", "/queue", "/batches", "/task-types")
WITH_PAGES = LISTS[:-1]


def found(site: Site, query: str, path: str = "/tasks") -> list[str]:
    """Return the tokens that a query finds; require that they fit on one page."""
    page = site.get_json(f"{path}?{query}")
    assert (page["next"], page["total"]) == (None, len(page["items"]))
    return [task["token"] for task in page["items"]]


@ON_BOTH
def test_each_filter_finds_its_tasks_newest_first(site: Site) -> None:
    process = Process(kind="worker", host="höst", machine="m", pid=1, pid_started="1", name="w 1")
    owner = site.runtime.store.workers.register(process, now())
    before = site.get_json(f"/tasks/{site.send()}")
    batch, (red, blue, later) = site.batch(
        {"tags": ["red", "b&w"], "name": "job #1", "priority": "high"},
        {"tags": ["red"], "custom_id": "job #2 %_'", "task_type": "fails"},
        {"delay": 60, "priority": "low"},
    )
    last = site.send(name="Job")
    site.work(blue)
    claim_runs(site.runtime.store, [(red, 1)], owner, now())
    site.post_json(f"/tasks/{last}/cancel")
    first, between = before["token"], quote(site.get_json(f"/tasks/{red}")["created_at"])
    assert found(site, "") == [last, later, blue, red, first]
    assert found(site, "status=queued") == [first]
    for query in ("status=failed,running", "status=failed&status=running", "status=failed&status=failed,running"):
        assert found(site, query) == [blue, red], query
    assert found(site, "task_type=fails") == [blue]
    assert found(site, f"batch={batch}") == [later, blue, red]
    assert found(site, "tag=red") == [blue, red]
    assert found(site, "tag=b%26w") == [red]
    assert found(site, "priority=normal") == [last, blue, first]
    assert found(site, "code=error") == [blue]
    assert found(site, "worker=w+1") == [red]
    assert found(site, "host=h%C3%B6st") == [red]
    assert found(site, "q=job") == [blue, red]
    assert found(site, "q=job%20%232%20%25_%27") == [blue]
    assert found(site, f"q={first}") == [first]
    assert found(site, "q=") == found(site, "")
    assert found(site, f"created_after={between}") == [last]
    assert found(site, f"created_before={between}") == [first]
    always = found(site, "created_after=0001-01-01T00:00:00Z&created_before=9999-12-31T23:59:59Z")
    assert always == sorted(found(site, ""), reverse=True)
    assert found(site, f"tag=red&status=running&batch={batch}&q=job&priority=high&host=h%C3%B6st") == [red]
    for query in (
        "tag=",
        "tag=reD",
        "task_type=",
        f"batch={UNKNOWN}",
        "batch=x",
        "worker=w",
        "q=%25",
        "q=JOB",
        "q=%EF%BF%BD",
    ):
        assert found(site, query) == [], query
    assert found(site, "", "/results") == [last, blue]
    assert found(site, "status=canceled", "/results") == [last]
    assert found(site, "", "/deadletter") == [blue]


def test_a_list_shows_a_task_with_the_same_values_as_its_details(site: Site) -> None:
    token = site.send(tags=["a"], name="n", custom_id="c", priority="low", data={"item": [1]}, task_type="fails")
    site.work(token)
    details = site.get_json(f"/tasks/{token}")
    (task,) = site.get_json("/tasks")["items"]
    assert {name: details[name] for name in task} == task
    (ended,) = site.get_json("/deadletter")["items"]
    assert ended == task | {"result": None}
    assert ended["item"] == [1]
    assert ended["error"] == {"code": "error", "message": details["error"]["message"]}


@ON_BOTH
def test_the_link_of_each_page_leads_to_the_next_one(site: Site) -> None:
    tokens = [site.send(tags=["é &"], expires_at="2999-01-01T00:00:00Z") for _ in range(6)]
    for limit in (2, 3, 1000):
        for query in ("", "?tag=%C3%A9+%26", "?status=failed&status=queued"):
            assert [task["token"] for task in site.pages(f"/tasks{query}", limit)] == tokens[::-1]
        by_time = site.pages("/tasks?created_after=2020-01-01T00:00:00%2B00:00", limit)
        assert [task["token"] for task in by_time] == sorted(tokens, reverse=True)
        assert [task["token"] for task in site.pages("/queue", limit)] == tokens


def test_a_task_sent_between_two_pages_is_not_on_the_second(site: Site) -> None:
    tokens = [site.send() for _ in range(3)]
    page = site.get_json("/tasks?limit=2")
    site.send()
    assert [task["token"] for task in site.get_json(f"/tasks?limit=2&cursor={page['next']}")["items"]] == tokens[:1]


def test_a_total_is_exact_up_to_a_limit_and_marked_above_it(site: Site) -> None:
    site.runtime.submit([1] * MOST_COUNTED, site.runtime.of_type("mirror"))
    page = site.get_json("/tasks?limit=1")
    assert (page["total"], "total_is" in page) == (MOST_COUNTED, False)
    site.send()
    page = site.get_json("/tasks?limit=1")
    assert (page["total"], page["total_is"]) == (MOST_COUNTED, "at least")
    assert site.get_json("/tasks?status=finished")["total"] == 0


BAD_QUERIES = {
    **{f"limit={text}": "limit" for text in ("0", "1001", "", "-1", "+1", "1.0", "1e1", "x", "%D9%A3", "9" * 5000)},
    "limit=1&limit=2": "limit",
    "surprise=1": "surprise",
    "Limit=1": "Limit",
    "%00=1": "x00",
    "=1": "''",
    "cursor=%00": "cursor",
}

BAD_FILTERS = {
    "priority=default": "priority",
    "priority=": "priority",
    "code=nothing": "code",
    "created_after=": "created_after",
    "created_after=now": "created_after",
    "created_after=2026-13-01T00:00:00Z": "created_after",
    "created_before=0001-01-01T00:00:00%2B14:00": "created_before",
    "q=%00": "q",
    "tag=a&tag=b": "tag",
    "host=a%00b": "host",
}


def refused(site: Site, path: str, query: str, name: str) -> None:
    answer = site.get(f"{path}?{query}")
    assert problem(answer) == (400, "bad_parameter"), (path, query)
    assert name in answer.json["message"], (path, query)
    assert len(answer.json["message"]) < 400


def test_an_unknown_or_invalid_parameter_of_a_list_is_refused_by_name(site: Site) -> None:
    for path in WITH_PAGES:
        for query, name in BAD_QUERIES.items():
            refused(site, path, query, name)
    for path in ("/tasks", "/results", "/deadletter"):
        for query, name in BAD_FILTERS.items():
            refused(site, path, query, name)
    for query in (
        "status=",
        "status=failed&status=",
        "status=asleep",
        "status=queued,",
        "status=QUEUED",
        "status=rejected",
    ):
        refused(site, "/tasks", query, "status")
    for query in ("status=queued", "status=finished,running"):
        refused(site, "/results", query, "status")
    refused(site, "/deadletter", "status=failed", "status")


def test_a_query_that_is_not_valid_utf_8_is_refused(site: Site) -> None:
    for path in LISTS:
        for query in ("q=%FF", "%ED%A0%80=1", "name=%C3"):
            assert problem(site.get(f"{path}?{query}")) == (400, "bad_parameter")


def test_a_cursor_that_no_page_returned_is_refused(site: Site) -> None:
    site.batch({}, {}, {})
    for cursor in (
        "",
        "x",
        "é",
        "%C3%A9",
        "MTIz!",
        "LTE",
        "A" * 5000,
        "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5",
        "0",
        UNKNOWN,
        "MA==" * 9,
    ):
        for path in WITH_PAGES:
            assert problem(site.get(f"{path}?cursor={cursor}")) == (400, "bad_cursor"), (path, cursor)
    cursor = site.get_json("/tasks?created_after=2020-01-01T00:00:00Z&limit=1")["next"]
    assert problem(site.get(f"/tasks?cursor={cursor}")) == (400, "bad_cursor")


NOT_LISTS: list[tuple[str, str]] = [
    ("GET", "/tasks/{token}"),
    ("GET", "/tasks/{token}/status"),
    ("GET", "/results/{token}"),
    ("GET", "/batches/{batch}"),
    ("GET", "/batches/{batch}/results"),
    ("GET", "/task-types"),
    ("POST", "/tasks"),
    ("POST", "/tasks/{token}/cancel"),
    ("POST", "/tasks/{token}/retry"),
    ("POST", "/tasks/cancel"),
    ("POST", "/tasks/retry"),
    ("POST", "/batches/{batch}/cancel"),
    ("POST", "/batches/{batch}/retry"),
    ("POST", "/queue/low/pause"),
    ("POST", "/queue/low/resume"),
    ("POST", "/deadletter/{token}/retry"),
    ("POST", "/deadletter/retry"),
    ("DELETE", "/deadletter"),
]


def test_every_other_route_refuses_unknown_parameters_and_changes_nothing(site: Site) -> None:
    batch, (token,) = site.batch({})
    for method, path in NOT_LISTS:
        for name in ("surprise", "older", "Metadata.x"):
            answer = site.client.open(path.format(token=token, batch=batch) + f"?{name}=1", method=method)
            assert problem(answer) == (400, "bad_parameter"), (method, path)
            assert answer.json is not None
            assert name in answer.json["message"]
    assert site.status(token) == "queued"
    assert not any(queue["paused"] for queue in site.get_json("/queue")["queues"])


@pytest.mark.parametrize("path", LISTS)
def test_every_list_has_the_same_envelope_and_answers_head(site: Site, path: str) -> None:
    page = site.get_json(path)
    assert isinstance(page["items"], list)
    assert page["next"] is None
    head = site.client.head(path)
    assert (head.status_code, head.data) == (200, b"")
    wrong = site.client.put(path)
    assert problem(wrong) == (405, "method_not_allowed")
    assert "GET" in wrong.headers["Allow"]


def test_a_read_key_may_read_every_list_and_change_nothing(site: Site, bearer: KeyMaker) -> None:
    read, submit = bearer("read"), bearer("submit")
    answer: Any = site.post("/tasks", [{"task_type": "mirror"}], submit).json
    batch, token = answer["batch"], answer["processing_items"][0]["hash"]
    for method, path in [("GET", path) for path in LISTS] + NOT_LISTS:
        address = path.format(token=token, batch=batch)
        assert problem(site.client.open(address, method=method)) == (401, "unauthorized"), path
        allowed = site.client.open(address, method=method, headers=read)
        assert (allowed.status_code == 200) == (method == "GET"), path
        if method != "GET":
            assert problem(allowed) == (403, "forbidden"), path
    for method, path in (("POST", "/queue/low/pause"), ("POST", "/queue/low/resume"), ("POST", "/deadletter/retry")):
        assert problem(site.client.open(path, method=method, headers=submit)) == (403, "forbidden"), path
    assert problem(site.client.delete("/deadletter?older_than=0", headers=submit)) == (403, "forbidden")
