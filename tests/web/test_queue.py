"""`/queue`: queued tasks in their order; queues are paused and resumed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import Engine, event

from queue_tool.model.batch import Submission
from tests.support import now
from tests.web.site import ON_BOTH, Site, problem


def queue_entry(site: Site, name: str) -> Any:
    """Return the entry of one queue."""
    (found,) = (queue for queue in site.get_json("/queue?limit=1")["queues"] if queue["name"] == name)
    return found


@ON_BOTH
def test_all_queues_come_in_their_order_page_by_page(site: Site) -> None:
    sent: dict[str, list[str]] = {"low": [], "normal": [], "high": []}
    for _ in range(3):
        for priority, tokens in sent.items():
            tokens.append(site.send(priority=priority))
    site.send(delay=60)
    expected = sent["high"] + sent["normal"] + sent["low"]
    for limit in (1, 3, 4, 9):
        assert [task["token"] for task in site.pages("/queue", limit)] == expected, limit
    for name, priority in (("high", "high"), ("default", "normal"), ("low", "low")):
        assert [task["token"] for task in site.pages(f"/queue?queue={name}", 2)] == sent[priority]
        assert site.get_json(f"/queue?queue={name}&limit=1")["total"] == 3
    assert site.get_json("/queue?limit=2")["total"] == 9


def test_a_full_page_has_a_next_page_only_if_more_tasks_are_queued(site: Site) -> None:
    site.send(priority="high")
    assert site.get_json("/queue?limit=1")["next"] is None
    site.send(priority="low")
    page = site.get_json("/queue?limit=1")
    assert [task["priority"] for task in site.get_json(f"/queue?limit=1&cursor={page['next']}")["items"]] == ["low"]


def test_a_cursor_of_all_queues_is_not_valid_for_one_queue(site: Site) -> None:
    for priority in ("high", "normal", "low"):
        site.batch({"priority": priority}, {"priority": priority})
    cursor = site.get_json("/queue?limit=3")["next"]
    assert problem(site.get(f"/queue?queue=low&cursor={cursor}")) == (400, "bad_cursor")


@ON_BOTH
def test_each_queue_reports_its_counts_and_the_age_of_its_oldest_task(site: Site) -> None:
    first = site.send(priority="high")
    site.send(priority="high", task_type="sleep", data={"item": "another lane", "valor": 0})
    running, ended = site.send(), site.send(priority="low")
    site.claim(running)
    site.work(ended)
    high, normal, low = site.get_json("/queue")["queues"]
    assert [queue["name"] for queue in (high, normal, low)] == ["high", "default", "low"]
    assert [(queue["waiting"], queue["running"]) for queue in (high, normal, low)] == [(2, 0), (0, 1), (0, 0)]
    assert high["oldest"] == site.get_json(f"/tasks/{first}")["created_at"]
    assert 0 <= high["age"] <= (now() - datetime.fromisoformat(high["oldest"])).total_seconds()
    assert (normal["oldest"], normal["age"], low["age"]) == (None, None, None)
    assert [queue["priority"] for queue in (high, normal, low)] == ["high", "normal", "low"]


@ON_BOTH
def test_the_page_the_total_and_the_counts_of_the_queues_are_those_of_one_moment(site: Site) -> None:
    site.send(priority="high")
    sent: list[object] = []

    def send_once(*_: object) -> None:
        """Send more as soon as the first count was read."""
        if not sent:
            sent.append(None)
            sent[0] = site.runtime.submit([1, 2], site.runtime.of_type("mirror"))

    event.listen(Engine, "after_cursor_execute", send_once)
    try:
        page = site.get_json("/queue")
    finally:
        event.remove(Engine, "after_cursor_execute", send_once)
    assert isinstance(sent[0], Submission)
    assert page["total"] == len(page["items"]) == sum(queue["waiting"] for queue in page["queues"])
    assert site.get_json("/queue")["total"] == 3


@ON_BOTH
@pytest.mark.parametrize(("name", "priority"), [("high", "high"), ("default", "normal"), ("low", "low")])
def test_a_paused_queue_starts_nothing_until_it_is_resumed(site: Site, name: str, priority: str) -> None:
    running, waiting = site.send(priority=priority), site.send(priority=priority)
    other = site.send(priority="low" if priority == "normal" else "normal")
    site.claim(running)
    shown = site.post_json(f"/queue/{name}/pause")
    assert (shown["name"], shown["paused"], shown["waiting"], shown["running"]) == (name, True, 1, 1)
    assert site.post_json(f"/queue/{name}/pause")["paused_at"] == shown["paused_at"]
    site.work(waiting, other)
    assert (site.status(running), site.status(waiting), site.status(other)) == ("running", "queued", "finished")
    assert [queue["paused"] for queue in site.get_json("/queue")["queues"]].count(True) == 1
    for _ in range(2):
        shown = site.post_json(f"/queue/{name}/resume")
        assert (shown["paused"], shown["paused_at"]) == (False, None)
    site.work(waiting)
    assert site.status(waiting) == "finished"


def test_a_queue_has_the_name_of_its_rq_queue(site: Site, redis: Redis) -> None:
    site.send()
    for name in ("normal", "HIGH", "high.threads", "default,low", "%00", "é"):
        assert problem(site.get(f"/queue?queue={name}"))[0] == (400 if name == "%00" else 404), name
        for verb in ("pause", "resume"):
            assert problem(site.post(f"/queue/{name}/{verb}")) == (404, "queue_not_found"), name
    assert problem(site.get("/queue?queue=")) == (404, "queue_not_found")
    assert problem(site.post("/queue/low/pause", {"why": "x"})) == (400, "bad_request")
    assert problem(site.post("/queue/low/pause", [])) == (400, "bad_request")
    assert not queue_entry(site, "low")["paused"]
    assert redis.exists("rq:queue:default.threads")
