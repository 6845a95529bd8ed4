"""`/batches`: the state of batches, how they are found, and canceling and retrying a whole batch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from queue_tool.runtime import Runtime
from tests.runs import claim_runs
from tests.web.site import ILL_FORMED, ON_BOTH, UNKNOWN, Site, problem

GOOD = {"item": "a", "valor": 0}
STATES = {"scheduled", "queued", "running", "finished", "failed", "canceled", "rejected"}


def batch_of(client: FlaskClient, *elements: object) -> Any:
    answer = client.post("/api", json=list(elements))
    found = client.get(answer.headers["Location"])
    assert found.status_code == 200
    return found.json


def test_a_batch_with_queued_tasks_is_in_progress(client: FlaskClient) -> None:
    found = batch_of(client, GOOD, 1, GOOD, 2)
    assert (found["total"], found["accepted"], found["rejected"]) == (4, 2, 2)
    assert set(found["counts"]) == STATES
    assert found["counts"]["queued"] == 2
    assert found["progress"] == 0.5
    assert (found["message"], found["finished_at"]) == ("Em processamento", None)
    assert found["created_at"].endswith("Z")


def test_a_batch_whose_tasks_have_ended_is_finished(inline_client: FlaskClient) -> None:
    found = batch_of(inline_client, GOOD, "bad", GOOD)
    assert (found["counts"]["finished"], found["counts"]["rejected"]) == (2, 1)
    assert (found["message"], found["progress"]) == ("Finalizado", 1)
    assert found["finished_at"] >= found["created_at"]


def test_the_counts_always_sum_to_the_total(client: FlaskClient, runtime: Runtime) -> None:
    answer = client.post("/api", json=[GOOD, GOOD, None, GOOD])
    assert answer.json is not None
    token = answer.json["processing_items"][0]["hash"]
    claim_runs(runtime.store, [(token, 1)], runtime.owner.id(), datetime.now(UTC))
    found = client.get(answer.headers["Location"]).json
    assert found is not None
    assert (found["counts"]["running"], found["counts"]["queued"]) == (1, 2)
    assert sum(found["counts"].values()) == found["total"] == found["accepted"] + found["rejected"] == 4


@pytest.mark.parametrize("batch", ["0" * 32, "a", "A" * 32, "a" * 5000, "%00", "%2e%2e"])
def test_an_unknown_batch_is_not_found(client: FlaskClient, batch: str) -> None:
    answer = client.get(f"/batches/{batch}")
    assert answer.json is not None
    assert (answer.status_code, answer.json["code"]) == (404, "batch_not_found")


# -- many batches, and a whole batch canceled or retried ---------------------------------------------------


def details(site: Site, batch: str) -> Any:
    """Return a batch's details; require that its counts sum to its total."""
    found = site.get_json(f"/batches/{batch}")
    assert set(found["counts"]) == STATES
    assert sum(found["counts"].values()) == found["total"] == found["accepted"] + found["rejected"]
    ended = sum(found["counts"][name] for name in ("finished", "failed", "canceled", "rejected"))
    assert found["progress"] == pytest.approx(ended / found["total"])
    assert (found["message"] == "Finalizado") == (ended == found["total"]) == (found["finished_at"] is not None)
    return found


@ON_BOTH
def test_the_counts_follow_the_tasks_also_after_a_retry(site: Site) -> None:
    batch, (first, second, third, _) = site.batch({}, {"task_type": "fails"}, {"delay": 60}, 5)
    assert details(site, batch)["progress"] == 0.25
    site.claim(first)
    assert details(site, batch)["counts"]["running"] == 1
    site.work(second)
    site.post_json(f"/tasks/{third}/cancel")
    site.post_json(f"/tasks/{first}/cancel")
    done = details(site, batch)
    assert (done["message"], done["progress"]) == ("Finalizado", 1)
    site.post_json(f"/tasks/{second}/retry")
    reopened = details(site, batch)
    assert (reopened["message"], reopened["progress"], reopened["counts"]["queued"]) == ("Em processamento", 0.75, 1)
    site.work(second)
    assert details(site, batch)["finished_at"] > done["finished_at"]


@ON_BOTH
def test_a_whole_batch_is_canceled_and_retried(site: Site) -> None:
    batch, tokens = site.batch(*[{}] * 3, {"delay": 60}, "refused", {"task_type": "fails"})
    other = site.send()
    site.work(tokens[0], tokens[5])
    site.claim(tokens[1])
    assert site.post_json(f"/batches/{batch}/cancel", {"by": "ana", "reason": "enough"}) == {"matched": 3, "changed": 3}
    found = details(site, batch)
    assert (found["message"], found["counts"]["canceled"], found["counts"]["finished"]) == ("Finalizado", 3, 1)
    assert site.get_json(f"/tasks/{tokens[3]}")["canceled_by"] == "ana"
    assert site.post_json(f"/batches/{batch}/cancel") == {"matched": 0, "changed": 0}
    assert site.post_json(f"/batches/{batch}/retry") == {"matched": 4, "changed": 4}
    assert details(site, batch)["counts"]["queued"] == 4
    assert site.post_json(f"/batches/{batch}/retry") == {"matched": 0, "changed": 0}
    assert site.status(other) == "queued"


@ON_BOTH
def test_every_operation_on_an_unknown_batch_is_404(site: Site) -> None:
    for batch in (UNKNOWN, *ILL_FORMED, site.send()):
        for answer in (
            site.get(f"/batches/{batch}"),
            site.get(f"/batches/{batch}/elements"),
            site.post(f"/batches/{batch}/elements?from=0", [1]),
            *(site.post(f"/batches/{batch}/{verb}") for verb in ("cancel", "retry", "seal")),
        ):
            assert problem(answer) == (404, "batch_not_found"), batch
    batch, (token,) = site.batch({})
    bad: list[Any] = [[], 1, {"why": "x"}, {"by": 1}]
    for body in bad:
        assert problem(site.post(f"/batches/{batch}/cancel", body)) == (400, "bad_request"), body
    assert problem(site.post(f"/batches/{batch}/retry", {"by": "ana"})) == (400, "bad_request")
    assert site.status(token) == "queued"


@ON_BOTH
def test_batches_have_and_are_found_by_a_name_and_metadata(site: Site) -> None:
    plain, _ = site.batch({})
    first, _ = site.batch({}, query="?name=n%C3%B6n%20%261&metadata.team=a&metadata.x.y=%26+b")
    second, _ = site.batch({}, query="?name=other&metadata.team=a")
    answer = site.post("/api?name=n%C3%B6n%20%261&metadata.team=b", [{"item": "a", "valor": 0}])
    third = answer.json["batch"]
    found = details(site, first)
    assert (found["name"], found["metadata"]) == ("nön &1", {"team": "a", "x.y": "& b"})
    assert (details(site, plain)["name"], details(site, plain)["metadata"]) == (None, {})
    for query, expected in {
        "": [third, second, first, plain],
        "?name=n%C3%B6n+%261": [third, first],
        "?name=n": [],
        "?metadata.team=a": [second, first],
        "?metadata.team=a&metadata.x.y=%26+b": [first],
        "?metadata.team=a&name=other": [second],
        "?metadata.team=A": [],
        "?metadata.name=other": [],
    }.items():
        for limit in (1, 50):
            assert [batch["id"] for batch in site.pages(f"/batches{query}", limit)] == expected, query
        assert site.get_json(f"/batches{query}")["total"] == len(expected), query
    (listed, *_) = site.get_json("/batches")["items"]
    assert listed == {name: value for name, value in details(site, third).items() if name != "counts"} | {"open": 1}


@ON_BOTH
def test_an_invalid_name_or_metadata_is_refused_and_nothing_is_submitted(site: Site) -> None:
    many = "&".join(f"metadata.{number}=x" for number in range(21))
    queries = [
        "name=",
        "name=" + "n" * 256,
        "metadata.=x",
        "metadata.k=",
        "metadata." + "k" * 256 + "=x",
        "metadata.k=" + "x" * 256,
    ]
    queries += [
        "name=a%00",
        "metadata.k=%00",
        "metadata.a%00b=x",
        "name=%FF",
        "metadata.%C3=x",
        "name=a&name=b",
        many,
        "label=x",
    ]
    for query in queries:
        for path in ("/api", "/tasks"):
            answer = site.post(f"{path}?{query}", [{"item": "a", "valor": 0}])
            assert problem(answer) == (400, "bad_parameter"), query
        assert problem(site.get(f"/batches?{query}")) == (400, "bad_parameter"), query
    assert site.get_json("/batches")["items"] == []
    site.batch(
        {},
        query="?name="
        + "%F0%9F%98%80" * 255
        + "&"
        + "&".join(f"metadata.{'k' * (200 + each)}=x" for each in range(20)),
    )


def test_an_unchanged_batch_is_304_also_after_a_wait(site: Site) -> None:
    batch, (token,) = site.batch({})
    first = site.get(f"/batches/{batch}")
    known = {"If-None-Match": first.headers["ETag"]}
    same = site.get(f"/batches/{batch}", known | {"Prefer": "wait=1"})
    assert (same.status_code, same.data) == (304, b"")
    assert (same.headers["Preference-Applied"], same.headers["Vary"]) == ("wait=1", "Prefer")
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(
            lambda: site.app.test_client().get(f"/batches/{batch}", headers=known | {"Prefer": "wait=60"})
        )
        site.work(token)
        changed: Any = waiting.result(30)
    assert (changed.status_code, changed.json["message"]) == (200, "Finalizado")
    assert changed.headers["ETag"] != first.headers["ETag"]
    assert site.get(f"/batches/{batch}", {"If-None-Match": changed.headers["ETag"]}).status_code == 304
