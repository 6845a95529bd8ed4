"""`/deadletter`: failed tasks are listed, retried and removed."""

from __future__ import annotations

from typing import Any

from tests.web.site import ON_BOTH, Site, problem


def failed(site: Site, *tasks: dict[str, Any]) -> tuple[str, list[str]]:
    """Send a batch whose tasks all fail, and run them; return its id and tokens."""
    batch, tokens = site.batch(*({"task_type": "fails"} | task for task in tasks))
    site.work(*tokens)
    return batch, tokens


def counts(site: Site, batch: str) -> dict[str, int]:
    """Return the counts of a batch that are not zero."""
    found = site.get_json(f"/batches/{batch}")
    assert sum(found["counts"].values()) == found["total"] == found["accepted"] + found["rejected"]
    return {name: count for name, count in found["counts"].items() if count}


@ON_BOTH
def test_a_retried_dead_letter_reopens_its_batch(site: Site) -> None:
    batch, (token, other) = failed(site, {}, {})
    assert [task["token"] for task in site.get_json("/deadletter")["items"]] == [other, token]
    assert site.get_json(f"/batches/{batch}")["finished_at"]
    answer = site.post(f"/deadletter/{token}/retry")
    assert (answer.status_code, answer.json["status"]) == (200, "queued")
    assert answer.headers["Location"] == f"/tasks/{token}"
    found = site.get_json(f"/batches/{batch}")
    assert (found["finished_at"], found["message"], found["progress"]) == (None, "Em processamento", 0.5)
    assert counts(site, batch) == {"queued": 1, "failed": 1}
    assert [task["token"] for task in site.get_json("/deadletter")["items"]] == [other]


def test_a_canceled_task_is_not_a_dead_letter(site: Site) -> None:
    token = site.send()
    site.post_json(f"/tasks/{token}/cancel")
    assert site.get_json("/deadletter")["items"] == []
    assert problem(site.post(f"/deadletter/{token}/retry")) == (409, "task_not_retried")
    assert site.post_json("/deadletter/retry") == {"matched": 0, "changed": 0}
    assert site.status(token) == "canceled"


@ON_BOTH
def test_all_dead_letters_are_retried_or_only_those_of_a_filter(site: Site) -> None:
    batch, (red, blue, plain) = failed(site, {"tags": ["red"]}, {"name": "blue"}, {})
    assert site.post_json("/deadletter/retry", {"filter": {"tag": "red", "code": "error"}}) == {
        "matched": 1,
        "changed": 1,
    }
    assert site.post_json("/deadletter/retry", {"filter": {"code": "timeout"}}) == {"matched": 0, "changed": 0}
    assert counts(site, batch) == {"queued": 1, "failed": 2}
    assert site.post_json("/deadletter/retry") == {"matched": 2, "changed": 2}
    assert [site.status(token) for token in (red, blue, plain)] == ["queued"] * 3
    site.work(red, blue, plain)
    assert site.post_json("/deadletter/retry", {"filter": {}, "all": True}) == {"matched": 3, "changed": 3}


def test_an_invalid_retry_request_retries_nothing(site: Site) -> None:
    batch, _ = failed(site, {})
    bad: list[Any] = [[], 1, {"filter": None}, {"filter": []}, {"filter": {"status": "failed"}}, {"filter": {"q": 1}}]
    for body in (*bad, {"tokens": []}):
        assert problem(site.post("/deadletter/retry", body))[0] == 400, body
    assert counts(site, batch) == {"failed": 1}


@ON_BOTH
def test_old_dead_letters_are_removed_with_all_their_rows(site: Site) -> None:
    batch, tokens = failed(site, {"tags": ["red"], "name": "n"}, {})
    mixed, (bad, waits, refused) = site.batch({"task_type": "fails"}, {}, {"name": 1})
    site.work(bad)
    assert refused == "INVALID_JOB_REQUEST"
    assert site.client.delete("/deadletter?older_than=3600").json == {"removed": 0}
    for age, count in {0: 2, 3600: 0}.items():
        only_counted = site.client.delete(f"/deadletter?older_than={age}&dry_run=true").json
        assert only_counted == {"removed": 0, "matched": count}
    assert site.get_json("/deadletter")["total"] == 3
    assert site.client.delete("/deadletter?older_than=0").json == {"removed": 2}
    assert counts(site, mixed) == {
        "queued": 1,
        "failed": 1,
        "rejected": 1,
    }  # while a batch has not ended, its tasks stay
    site.work(waits)
    assert site.client.delete("/deadletter?older_than=0").json == {"removed": 1}
    assert site.get_json("/deadletter")["total"] == 0
    for token in (*tokens, bad):
        assert site.get(f"/tasks/{token}").status_code == 404
        assert site.get(f"/check/{token}").status_code == 404
    assert site.get_json("/tasks?q=n")["total"] == site.get_json("/tasks?tag=red")["total"] == 0
    assert site.get(f"/batches/{batch}").status_code == 404
    assert counts(site, mixed) == {"finished": 1, "rejected": 1}
    assert site.get_json(f"/batches/{mixed}")["message"] == "Finalizado"


def test_a_filter_beside_the_age_is_refused_so_that_nothing_else_is_deleted(site: Site) -> None:
    failed(site, {})
    answer = site.client.delete("/deadletter?older_than=0", json={"filter": {"tag": "demo"}})
    assert problem(answer) == (400, "bad_request")
    assert site.get_json("/deadletter")["total"] == 1
    assert site.client.delete("/deadletter?older_than=0", json={}).json == {"removed": 1}


def test_the_age_must_be_given_in_seconds(site: Site) -> None:
    failed(site, {})
    ages = ("", "-1", "1d", "1e3", "9" * 11, "nan", "inf", "0&older_than=0", "%D9%A3", "0%00")
    for query in ("", *(f"?older_than={age}" for age in ages)):
        answer = site.client.delete(f"/deadletter{query}")
        assert problem(answer) == (400, "bad_parameter"), query
        assert answer.json is not None
        assert "older_than" in answer.json["message"]
    answer = site.client.delete("/deadletter")
    assert "0 deletes all failed tasks" in answer.text
    for age in ("9999999999", "3600.5"):
        assert site.client.delete(f"/deadletter?older_than={age}").json == {"removed": 0}
    assert site.get_json("/deadletter")["total"] == 1
