"""`/workers` of a supervisor: more, fewer and automatic, in our words and in those of an earlier system."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from queue_tool.model import events
from queue_tool.model.scale import first_scale
from queue_tool.runtime import Runtime
from queue_tool.services.owner import describe
from queue_tool.store import Process
from queue_tool.store.supervisors import KIND
from tests.conftest import News
from tests.web.conftest import KeyMaker
from tests.web.site import problem


def enter(runtime: Runtime, process: Process) -> None:
    """Register a supervisor with one worker, at most eight."""
    scale = first_scale(1, None, processors=2)
    assert runtime.store.supervisors.enter(process, scale, "", runtime.clock.now(), lambda _: False) is not None


@pytest.fixture
def here(runtime: Runtime) -> Process:
    """A supervisor on this host that lives: this process."""
    process = describe(KIND)
    enter(runtime, process)
    return process


def supervisors(client: FlaskClient) -> list[Any]:
    found = client.get("/workers").json
    assert found is not None
    listed: list[Any] = found["supervisors"]
    return listed


def test_workers_are_added_and_removed_by_the_buttons_of_the_page(
    client: FlaskClient, runtime: Runtime, here: Process
) -> None:
    page, form = "/dashboard/workers", {"host": here.host}
    runtime.owner.id()  # a process of this host, so that the page shows the host
    shown = client.get(page).text
    assert "1</strong> (1\u20138)" in shown
    assert ('value="remove" disabled' in shown, 'value="add" disabled' in shown) == (True, False)
    assert "A worker is added." in client.post(page, data=form | {"action": "add"}, follow_redirects=True).text
    assert [each["wanted"] for each in supervisors(client)] == [2]
    assert "A worker is removed" in client.post(page, data=form | {"action": "remove"}, follow_redirects=True).text
    assert [each["wanted"] for each in supervisors(client)] == [1]
    assert client.post(page, data=form | {"action": "remove"}).status_code == 409
    assert client.post(page, data={"host": "zebra", "action": "add"}).status_code == 404


def test_workers_are_added_and_removed_and_the_list_shows_what_is_wanted(
    client: FlaskClient, here: Process, news: News
) -> None:
    expected = {"host": here.host, "minimum": 1, "maximum": 8, "wanted": 1, "running": 0, "draining": 0}
    assert supervisors(client) == [expected | {"automatic": False}]
    assert client.post("/workers/add").json == expected | {"wanted": 2, "automatic": False, "status": "Workers added"}
    wanted: list[Any] = [
        client.post("/workers/add", json={"count": 3}),
        client.post("/workers/remove?count=2"),
        client.post(f"/workers/remove?host={here.host}", json={}),
        client.put("/workers", json={"wanted": 6}),
        client.put("/workers", json={"minimum": 2, "maximum": 4}),
        client.put("/workers", json={"minWorkers": 0, "maxWorkers": 3, "autoScaling": True}),
    ]
    assert [answer.json["wanted"] for answer in wanted] == [5, 3, 2, 6, 4, 3]
    assert [answer.json["status"] for answer in wanted[-4:-2]] == [
        "Workers removed",
        "Worker pool configuration updated",
    ]
    (now,) = supervisors(client)
    assert (now["minimum"], now["maximum"], now["wanted"], now["automatic"]) == (0, 3, 3, True)
    assert [event.wanted for event in news.of(events.WorkersChanged)] == [2, 5, 3, 2, 6, 4, 3]


@pytest.mark.usefixtures("here")
def test_what_cannot_be_is_refused_in_one_sentence_and_changes_nothing(client: FlaskClient) -> None:
    refused = {
        "8 more": (client.post("/workers/add?count=8"), 409, "9 workers would be more than the maximum of 8."),
        "1 fewer": (client.post("/workers/remove"), 409, "0 workers would be fewer than the minimum of 1."),
        "crossed": (client.put("/workers", json={"minimum": 9}), 409, "The minimum 9 would be above the maximum 8."),
        "0 more": (client.post("/workers/add?count=0"), 400, "count must be a whole number from 1 to 1000, not '0'."),
        "a word": (
            client.post("/workers/add", json={"count": "x"}),
            400,
            "count must be a whole number from 1 to 1000.",
        ),
        "null": (client.put("/workers", json={"wanted": None}), 400, "wanted must be a whole number from 0 to 1000."),
        "nothing": (
            client.put("/workers", json={}),
            400,
            "Send at least one of minimum, maximum, wanted and automatic.",
        ),
        "a strategy": (
            client.put("/workers", json={"distributionStrategy": "round-robin"}),
            400,
            "Unknown key 'distributionStrategy'. Known keys: minimum, maximum, wanted, automatic, minWorkers, "
            "maxWorkers, autoScaling.",
        ),
    }
    for answer, status, sentence in refused.values():
        assert (answer.status_code, answer.json["message"]) == (status, sentence)  # type: ignore[index] # a problem
    assert [each["wanted"] for each in supervisors(client)] == [1]


def test_one_supervisor_is_named_if_there_are_several_and_none_is_409(
    client: FlaskClient, runtime: Runtime, here: Process
) -> None:
    runtime.store.supervisors.leave(here)
    assert problem(client.post("/workers/add")) == (409, "no_supervisor")
    assert supervisors(client) == []
    enter(runtime, here)
    enter(runtime, Process(kind=KIND, host="zebra", machine="another", pid=1, pid_started="1"))
    assert [each["host"] for each in supervisors(client)] == sorted([here.host, "zebra"])
    assert problem(client.post("/workers/add")) == (409, "several_supervisors")
    assert problem(client.post("/workers/add?host=lion")) == (404, "host_not_found")
    answer = client.put("/workers?host=zebra", json={"wanted": 3})
    assert answer.json is not None
    assert (answer.json["host"], answer.json["wanted"]) == ("zebra", 3)


@pytest.mark.usefixtures("here")
def test_the_log_names_the_key_of_who_changed_it(client: FlaskClient, bearer: KeyMaker, news: News) -> None:
    assert client.post("/workers/add", headers=bearer("admin")).status_code == 200
    assert [event.by for event in news.of(events.WorkersChanged)] == ["admin"]
