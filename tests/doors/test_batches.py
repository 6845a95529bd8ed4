"""`/batches/<id>`: how a batch stands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient

from queue_tool.runtime import Runtime

GOOD = {"item": "a", "valor": 0}
STATES = {"scheduled", "queued", "running", "finished", "failed", "canceled", "rejected"}


def batch_of(client: FlaskClient, *elements: object) -> Any:
    answer = client.post("/api", json=list(elements))
    found = client.get(answer.headers["Location"])
    assert found.status_code == 200
    return found.json


def test_a_batch_that_waits_says_so(client: FlaskClient) -> None:
    found = batch_of(client, GOOD, 1, GOOD, 2)
    assert (found["total"], found["accepted"], found["rejected"]) == (4, 2, 2)
    assert set(found["counts"]) == STATES
    assert found["counts"]["queued"] == 2
    assert found["progress"] == 0.5
    assert (found["message"], found["finished_at"]) == ("Em processamento", None)
    assert found["created_at"].endswith("Z")


def test_a_batch_whose_tasks_have_ended_is_over(inline_client: FlaskClient) -> None:
    found = batch_of(inline_client, GOOD, "bad", GOOD)
    assert (found["counts"]["finished"], found["counts"]["rejected"]) == (2, 1)
    assert (found["message"], found["progress"]) == ("Finalizado", 1)
    assert found["finished_at"] >= found["created_at"]


def test_the_counts_always_sum_to_the_total(client: FlaskClient, runtime: Runtime) -> None:
    answer = client.post("/api", json=[GOOD, GOOD, None, GOOD])
    assert answer.json is not None
    token = answer.json["processing_items"][0]["hash"]
    runtime.store.runs.claim([(token, 1)], runtime.owner.id(), datetime.now(UTC))
    found = client.get(answer.headers["Location"]).json
    assert found is not None
    assert (found["counts"]["running"], found["counts"]["queued"]) == (1, 2)
    assert sum(found["counts"].values()) == found["total"] == found["accepted"] + found["rejected"] == 4


@pytest.mark.parametrize("batch", ["0" * 32, "a", "A" * 32, "a" * 5000, "%00", "%2e%2e"])
def test_an_unknown_batch_is_not_found(client: FlaskClient, batch: str) -> None:
    answer = client.get(f"/batches/{batch}")
    assert answer.json is not None
    assert (answer.status_code, answer.json["code"]) == (404, "batch_not_found")
