"""`/schedules`: make, list, read, change, pause, resume, run and delete schedules; what is refused, and why."""

from __future__ import annotations

from typing import Any

import pytest

from queue_tool.model.task_types import make_task_type
from queue_tool.services.declared_schedules import DeclaredSchedules
from tests.web.conftest import KeyMaker
from tests.web.site import UNKNOWN, Site, mirror, problem

DAILY = {"task_type": "mirror", "data": {"a": 1}, "cron": "30 2 * * *", "timezone": "Europe/Lisbon"}

pytestmark = pytest.mark.sqlite


def made(site: Site, **body: Any) -> Any:
    answer = site.post("/schedules", DAILY | body)
    assert answer.status_code == 201, answer.data
    assert answer.headers["Location"] == f"/schedules/{answer.json['id']}"
    return answer.json


def test_a_schedule_from_its_birth_to_its_end(site: Site) -> None:
    schedule = made(site, name="night", tags=["x"], max_attempts=2, parameters={"p": None})
    place = f"/schedules/{schedule['id']}"
    assert schedule == site.get_json(place)
    assert schedule["words"] == "At 02:30 every day, in Europe/Lisbon"
    assert (schedule["status"], schedule["in_code"], schedule["ticks"]) == ("active", False, 0)
    assert len(schedule["upcoming"]) == 10
    assert schedule["upcoming"] == sorted(schedule["upcoming"])
    assert schedule["upcoming"][0] == schedule["next_at"]
    assert schedule["request"] == {
        "task_type": "mirror", "name": "night", "tags": ["x"], "max_attempts": 2, "parameters": {"p": None},
        "data": {"a": 1},
    }  # fmt: skip

    tick = site.post_json(f"{place}/run")
    assert (tick["number"], tick["cause"], tick["result"], tick["batch"]) == (1, "request", "sent", None)
    task = site.get_json(f"/tasks/{tick['token']}")
    assert (task["data"], task["name"], task["tags"]) == ({"a": 1}, "night", [f"schedule:{schedule['id']}", "x"])
    assert (task["max_attempts"], task["parameters"], task["status"]) == (2, {"p": None}, "queued")
    assert [found["token"] for found in site.get_json(f"/tasks?tag=schedule:{schedule['id']}")["items"]] == [
        tick["token"]
    ]
    assert site.get_json(f"{place}/ticks") == {"items": [tick], "next": None, "total": 1}

    paused = site.post_json(f"{place}/pause")
    assert (paused["status"], paused["paused_by"], paused["next_at"], paused["upcoming"]) == (
        "paused",
        "request",
        None,
        [],
    )
    assert paused["paused_at"] == site.post_json(f"{place}/pause")["paused_at"]
    changed: Any = site.client.put(place, json={"task_type": "mirror", "elements": [1, 2], "every": 3600}).json
    assert (changed["status"], changed["cron"], changed["every"]) == ("paused", None, 3600)
    assert changed["request"] == {"task_type": "mirror", "elements": [1, 2]}
    assert site.post_json(f"{place}/resume")["status"] == "active"

    batch = site.post_json(f"{place}/run")["batch"]
    assert [found["id"] for found in site.get_json(f"/batches?metadata.schedule={schedule['id']}")["items"]] == [batch]
    assert [each["number"] for each in site.pages(f"{place}/ticks", 1)] == [2, 1]
    deleted: Any = site.client.delete(place).json
    assert deleted["id"] == schedule["id"]
    assert problem(site.get(place)) == (404, "schedule_not_found")
    assert site.get_json(f"/tasks/{tick['token']}")["status"] == "queued"


def test_schedules_are_listed_newest_first(site: Site) -> None:
    names = [made(site, name=str(number))["name"] for number in range(5)]
    for limit in (1, 2, 5):
        assert [each["name"] for each in site.pages("/schedules", limit)] == names[::-1]
    assert site.get_json("/schedules?limit=1")["total"] == 5
    assert problem(site.get("/schedules?cursor=x")) == (400, "bad_cursor")


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"cron": "* * * *"}, "bad_schedule", "has 4 fields"),
    ({"timezone": "Mars/Base"}, "bad_schedule", "no time zone 'Mars/Base'"),
    ({"every": 5}, "bad_schedule", "either cron or every"),
    ({"cron": None}, "bad_schedule", "either cron or every"),
    ({"cron": None, "every": 0}, "bad_schedule", "every must be a number of seconds from 1"),
    ({"cron": "0 0 31 2 *"}, "bad_schedule", "bad day-of-month"),
    ({"end": "2001-01-01T00:00:00Z"}, "bad_schedule", "The schedule is never due."),
    ({"start": "2031-01-01T00:00:00Z", "end": "2030-01-01T00:00:00Z"}, "bad_schedule", "end must not be before"),
    ({"start": "tomorrow"}, "bad_schedule", "start: 'tomorrow' is not a time"),
    ({"overlap": "both"}, "bad_schedule", "overlap must be one of queue, skip"),
    ({"catch_up": "some"}, "bad_schedule", "catch_up must be one of none, once, all"),
    ({"jitter": -1}, "bad_schedule", "jitter must be a number of seconds from 0"),
    ({"elements": [1]}, "bad_schedule", "either data or elements"),
    ({"data": "x" * 2**20}, "bad_schedule", "the limit is 1048576"),
    ({"task_type": "nothing"}, "bad_task", "not a valid task"),
    ({"priority": "urgent"}, "bad_request", "priority must be high, normal or low"),
    ({"name": "a\0b"}, "bad_task", "not a valid task"),
    ({"max_attempts": 0}, "bad_task", "not a valid task"),
    ({"unique_key": "k"}, "bad_request", "Unknown key 'unique_key'"),
    ({"task_type": None}, "bad_request", "task_type must be a string"),
    ({"every": "5"}, "bad_request", "every must be a number"),
    ({"elements": {}}, "bad_request", "elements must be an array"),
    ({"max_attempts": 1.5}, "bad_request", "max_attempts must be a whole number"),
]  # fmt: skip


def test_the_first_and_the_last_moment_of_all_can_bound_a_schedule(site: Site) -> None:
    first, last = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"
    ever = made(site, cron=None, every=3600, start=first, end=last)
    assert ever["upcoming"][0] == ever["next_at"]
    assert ever["next_at"].endswith(":00:00.000000Z")
    assert made(site, timezone="Pacific/Kiritimati", start=first)["next_at"] is not None


def test_a_bad_schedule_is_refused_with_its_reason(site: Site) -> None:
    kept = made(site)
    for body, code, sentence in BAD:
        answers: tuple[Any, ...] = (
            site.post("/schedules", DAILY | body),
            site.client.put(f"/schedules/{kept['id']}", json=DAILY | body),
        )
        for answer in answers:
            assert problem(answer) == (400, code), body
            assert sentence in answer.json["message"]
    (found,) = site.get_json("/schedules")["items"]
    assert found["next_at"] == kept["next_at"]


def test_data_is_checked_at_once_and_the_errors_name_its_place(site: Site) -> None:
    body = {key: value for key, value in DAILY.items() if key != "data"} | {"task_type": "strict"}
    answer = site.post("/schedules", body | {"data": {"a/b": [1, "x"]}})
    assert [each["path"] for each in answer.json["errors"]] == ["/data/a~1b/1"]
    answer = site.post("/schedules", body | {"elements": [{"a/b": [1]}, {}]})
    assert [each["path"] for each in answer.json["errors"]] == ["/elements/1"]
    for elements in ([], [1] * 1001):
        assert "elements must have 1 to 1000" in site.post("/schedules", body | {"elements": elements}).json["message"]


def test_a_schedule_in_code_is_shown_as_such_and_can_only_be_paused(site: Site) -> None:
    runtime = site.runtime
    kind = make_task_type("in_code", mirror, schedule={"every": 60, "version": 3})
    DeclaredSchedules([kind], runtime.store, runtime.telemetry, runtime.clock, judges=True).declare()
    (found,) = site.get_json("/schedules")["items"]
    assert (found["name"], found["in_code"], found["version"], found["every"]) == ("in_code", True, 3, 60)
    place = f"/schedules/{found['id']}"
    assert problem(site.client.delete(place)) == (409, "schedule_in_code")
    assert problem(site.client.put(place, json=DAILY)) == (409, "schedule_in_code")
    assert site.post_json(f"{place}/pause")["status"] == "paused"
    assert site.post_json(f"{place}/resume")["status"] == "active"
    assert site.post_json(f"{place}/run")["result"] == "sent"


def test_an_unknown_id_is_404_everywhere(site: Site) -> None:
    place = f"/schedules/{UNKNOWN}"
    answers = [
        site.get(place),
        site.get(f"{place}/ticks"),
        site.client.put(place, json=DAILY),
        site.client.delete(place),
    ]
    answers += [site.post(f"{place}/{what}") for what in ("pause", "resume", "run")]
    assert {problem(answer) for answer in answers} == {(404, "schedule_not_found")}


def test_only_an_admin_changes_schedules(site: Site, bearer: KeyMaker) -> None:
    keys = {role: bearer(role) for role in ("read", "submit", "admin")}
    answers = {role: site.post("/schedules", DAILY, key).status_code for role, key in keys.items()}
    assert answers == {"read": 403, "submit": 403, "admin": 201}
    assert site.get("/schedules", keys["read"]).json["total"] == 1
