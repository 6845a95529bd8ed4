"""Webhooks of a whole system: what ended is told at least once and in order, whatever is killed meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.receiver import Receiver, Request, receiver
from tests.support import System, eventually, http, items

pytestmark = pytest.mark.sqlite  # tests/contracts has what differs on PostgreSQL


@pytest.fixture
def hooks() -> Iterator[Receiver]:
    """A receiver on this machine."""
    with receiver() as running:
        yield running


def ends_of(request: Request) -> list[Any]:
    """Return the ends that a message lists."""
    data = json.loads(request.body)["data"]
    return data if isinstance(data, list) else [data]


def test_each_end_is_told_at_least_once_and_in_order_although_the_sender_is_killed(
    stopped_system: System, hooks: Receiver
) -> None:
    system = stopped_system
    system.settings["WEBHOOK_ALLOW"] = "127.0.0.1"
    system.start()
    made = http("POST", system.url("/webhooks"), {"url": hooks.url("/hangs"), "events": ["all"]}).json
    first = system.post(items(20)).json
    (in_flight, *_) = hooks.wait_for(1)
    second = system.post(items(5)).json
    system.await_status(second["processing_items"][-1]["hash"], "finished")
    system.kill_all()

    hooks.answers["/hangs"] = hooks.answers["/ok"]
    system.start()
    expected = {each["hash"] for batch in (first, second) for each in batch["processing_items"]}
    expected |= {first["batch"], second["batch"]}

    def told() -> list[Any]:
        return [end for request in hooks.requests[1:] for end in ends_of(request)]

    eventually(lambda: {end.get("token", end.get("batch")) for end in told()} == expected)
    again = hooks.requests[1]
    assert again.headers["webhook-id"] == in_flight.headers["webhook-id"]
    assert [end["id"] for end in ends_of(again)] == [end["id"] for end in ends_of(in_flight)]
    assert Webhook(made["secret"]).verify(again.body, dict(again.headers))
    ids = [end["id"] for end in told()]
    assert len(ids) == len(set(ids)), "only what was in flight is told twice"
    times = [end["timestamp"] for end in told()]
    assert times == sorted(times)
    assert eventually(lambda: http("GET", system.url(f"/webhooks/{made['id']}")).json["waiting"] == 0)
