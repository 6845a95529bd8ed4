"""Continuations over HTTP: how a request says what follows, how answers show it, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.web.site import Site, problem

pytestmark = pytest.mark.sqlite

REPORT = {"task_type": "mirror", "data": "report"}
GOOD = {"item": "a", "valor": 0}


def header(value: object) -> dict[str, str]:
    return {"On-Finished": json.dumps(value)}


def followers(site: Site, path: str) -> list[Any]:
    found: list[Any] = site.get_json(path)["on_finished"]
    return found


def test_a_request_says_in_its_header_or_its_query_what_follows(site: Site) -> None:
    by_header = site.post("/api", [GOOD, 1], header(REPORT)).json
    by_query = site.post(f"/tasks?task_type=mirror&on_finished={json.dumps([REPORT])}", [1, 2]).json
    for sent in (by_header, by_query):
        path = f"/batches/{sent['batch']}"
        assert followers(site, path) == [{"when": "always", "task_type": "mirror", "tokens": []}]
        site.work(*[line["hash"] for line in sent["processing_items"] if "errors" not in line])
        ((token,),) = (each["tokens"] for each in followers(site, path))
        made = site.get_json(f"/tasks/{token}")
        assert (made["status"], made["data"], made["parent_batch"]) == ("queued", "report", sent["batch"])
        assert made.keys().isdisjoint({"parent", "on_finished"})
        assert "on_finished" not in site.get_json("/batches")["items"][0]


def test_a_task_says_what_follows_it_in_its_object_or_as_a_batch_does(site: Site) -> None:
    chain = REPORT | {"when": "all_finished", "on_finished": REPORT}
    tokens = [
        site.send(on_finished=chain),
        site.post("/tasks?task_type=mirror", 5, header(chain)).json["task_id"],
        site.batch({"on_finished": [chain]})[1][0],
    ]
    site.work(*tokens)
    for token in tokens:
        (first,) = followers(site, f"/tasks/{token}")
        assert (first["when"], len(first["tokens"])) == ("all_finished", 1)
        details = site.get_json(f"/tasks/{first['tokens'][0]}")
        assert (details["parent"], "parent_batch" in details) == (token, False)
        assert [each["tokens"] for each in details["on_finished"]] == [[]]


def test_an_open_batch_is_followed_unless_a_cancel_prevents_it(site: Site) -> None:
    declared = [REPORT | {"when": "any_failed"}, REPORT]
    for query, made in (("", [1, 1]), ("?continue=true", [1, 1]), ("?continue=false", [0, 0])):
        batch = site.post("/batches", {"task_type": "mirror", "on_finished": declared}).json["id"]
        site.post(f"/batches/{batch}/elements?from=0", [1])
        assert site.post_json(f"/batches/{batch}/cancel{query}") == {"matched": 1, "changed": 1}
        assert [len(each["tokens"]) for each in followers(site, f"/batches/{batch}")] == made
    site.post_json(f"/batches/{batch}/retry")
    site.work(*[line["token"] for line in map(json.loads, site.get(f"/batches/{batch}/results").text.splitlines())])
    assert [len(each["tokens"]) for each in followers(site, f"/batches/{batch}")] == [1, 1]
    assert problem(site.post(f"/batches/{batch}/cancel?continue=no")) == (400, "bad_parameter")
    assert problem(site.post(f"/batches/{'0' * 32}/cancel?continue=false")) == (404, "batch_not_found")


def test_what_follows_is_a_part_of_the_idempotent_request(site: Site) -> None:
    key = {"Idempotency-Key": "k"}
    first = site.post("/api", [GOOD], key | header(REPORT))
    assert site.post("/api", [GOOD], key | header(REPORT)).json == first.json
    for other in (header(REPORT | {"when": "any_failed"}), {}):
        assert problem(site.post("/api", [GOOD], key | other)) == (422, "idempotency_key_reused")
    opened = site.post("/batches", {"on_finished": REPORT}, key)
    assert site.post("/batches", {"on_finished": REPORT}, key).json["id"] == opened.json["id"]
    assert problem(site.post("/batches", {}, key)) == (422, "idempotency_key_reused")


def test_what_is_refused_names_the_place_and_keeps_nothing(site: Site) -> None:
    wrong = {"task_type": "strict", "data": {"a/b": ["x"]}}
    for answer in (
        site.post("/api", [GOOD], header(wrong)),
        site.post("/tasks", {"task_type": "mirror"}, header(wrong)),
        site.post("/batches", {"on_finished": wrong}),
    ):
        assert problem(answer) == (400, "bad_continuation")
        assert [error["path"] for error in answer.json["errors"]] == ["/on_finished/data/a~1b/0"]
    inside = site.post("/tasks", {"task_type": "mirror", "on_finished": wrong})
    assert problem(inside) == (400, "bad_task")
    assert [error["path"] for error in inside.json["errors"]] == ["/on_finished/data/a~1b/0"]
    assert problem(site.post("/api", [GOOD], {"On-Finished": "{"})) == (400, "bad_continuation")
    both = site.post("/api?on_finished={}", [GOOD], header(REPORT))
    assert (problem(both), "not both" in both.json["message"]) == ((400, "bad_continuation"), True)
    assert site.get_json("/batches")["items"] == site.get_json("/tasks")["items"] == []
