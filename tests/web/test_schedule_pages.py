"""The pages of schedules: lists, the form with its preview, ticks, and what the buttons change."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from queue_tool.model.task_types import make_task_type
from queue_tool.services.declared_schedules import DeclaredSchedules
from tests.web.conftest import KeyMaker
from tests.web.site import Site, mirror
from tests.web.test_pages import EVIL, send_form

SCHEDULES = "/dashboard/schedules"

FIELDS = {
    "step": "save",
    "rhythm": "cron",
    "cron": "30 2 * * *",
    "every": "15",
    "unit": "minutes",
    "timezone": "Europe/Lisbon",
    "task_type": "mirror",
    "data": '{"a": [1, "é"]}',
    "overlap": "skip",
    "catch_up": "all",
    "jitter": "2,5",
}

pytestmark = pytest.mark.sqlite


def text_of(answer: Any) -> str:
    """Return what a page shows."""
    return html.unescape(answer.text)


def test_a_schedule_is_made_shown_changed_paused_run_and_deleted(site: Site) -> None:
    assert "There are no schedules yet." in site.get(SCHEDULES).text
    made = send_form(site, f"{SCHEDULES}/new", **FIELDS, name="night", tags="x\ny, z", priority="high", timeout="90")
    place = made.request.path
    shown = text_of(made)
    assert "The schedule is made." in shown
    assert "At 02:30 every day, in Europe/Lisbon" in shown
    assert len(re.findall(r"<li><time", made.text)) == 10
    assert "02:30 Europe/Lisbon" in shown
    assert '"é"' in shown
    stored = site.get_json(place.removeprefix("/dashboard"))
    assert (stored["jitter"], stored["overlap"], stored["catch_up"]) == (2.5, "skip", "all")
    assert stored["request"] == {
        "task_type": "mirror", "name": "night", "tags": ["x", "y, z"], "priority": "high", "timeout": 90.0,
        "data": {"a": [1, "é"]},
    }  # fmt: skip

    ran = send_form(site, place, action="run")
    (tick,) = site.get_json(f"/schedules/{stored['id']}/ticks")["items"]
    assert f'href="/dashboard/tasks/{tick["token"]}"' in ran.text
    assert "run now" in ran.text
    paused = send_form(site, place, action="pause")
    assert "It is not due." in paused.text
    assert site.get_json(f"/schedules/{stored['id']}")["paused_by"] == "request"
    assert "active again" in send_form(site, place, action="resume").text

    form = site.get(f"{place}/edit")
    fields = {
        name: html.unescape(value) for name, value in re.findall(r'name="(\w+)" type="\w+" value="([^"]*)"', form.text)
    }
    assert (fields["cron"], fields["timezone"], fields["timeout"]) == ("30 2 * * *", "Europe/Lisbon", "90")
    changes = {"rhythm": "every", "every": "1.5", "unit": "hours", "data": "[1, 2]", "is_batch": "yes"}
    assert "is changed" in send_form(site, f"{place}/edit", **FIELDS | changes, start="2031-01-01T12:00").text
    stored = site.get_json(f"/schedules/{stored['id']}")
    assert (stored["every"], stored["start"], stored["request"]["elements"]) == (
        5400, "2031-01-01T12:00:00.000000Z", [1, 2],
    )  # fmt: skip
    again = site.get(f"{place}/edit").text
    assert 'name="every" type="text" value="90"' in again
    assert 'value="2031-01-01T12:00:00"' in again
    batch = send_form(site, place, action="run")
    assert "/dashboard/batches/" in batch.text
    assert site.get(f"{place}?cursor=MQ").status_code == 200
    assert "It is deleted." in send_form(site, place, action="delete").text
    assert site.get(place).status_code == 404


def test_the_preview_follows_the_fields_and_stores_nothing(site: Site) -> None:
    for query, words in [
        ("rhythm=cron&cron=0+12+*+*+1-5&timezone=Asia/Tokyo", "in Asia/Tokyo"),
        ("rhythm=every&every=90&unit=seconds", "Every 90 seconds"),
        ("rhythm=cron&cron=a", "has 1 fields"),
        ("rhythm=every&every=nan", "every must be a number"),
        ("timezone=Mars/Base", "no time zone 'Mars/Base'"),
        ("cron=0+0+30+2+*", "bad day-of-month"),
        ("end=2001-01-01T00:00", "never due"),
        ("start=soon", "is not a time"),
    ]:
        assert words in text_of(site.get(f"{SCHEDULES}/new?{query}")), query
    shown = send_form(site, f"{SCHEDULES}/new", **FIELDS | {"step": "preview", "cron": "0 4 * * *"})
    assert "At 04:00 every day" in shown.text
    assert '{"a": [1, "é"]}' in text_of(shown)
    assert site.get_json("/schedules")["total"] == 0


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"cron": "* *"}, "has 2 fields"),
        ({"data": "{"}, "data: The text is not valid JSON"),
        ({"data": "7", "is_batch": "yes"}, "must be an array"),
        ({"parameters": "[]"}, "must be an object"),
        ({"max_attempts": "1.5"}, "must be a whole number"),
        ({"jitter": "soon"}, "jitter must be a number"),
        ({"priority": "urgent"}, "priority must be one of"),
        ({"overlap": "both"}, "overlap must be one of"),
        ({"task_type": "nothing"}, "not a valid task"),
        ({"task_type": "strict", "data": '{"a/b": [1, "x"]}'}, "/data/a~1b/1"),
    ],
)
def test_a_mistake_is_named_and_the_form_keeps_every_field(site: Site, fields: dict[str, str], sentence: str) -> None:
    kept = {"name": "kept name", "tags": "kept tag", "description": "kept words"}
    answer = send_form(site, f"{SCHEDULES}/new", **FIELDS | kept | fields)
    assert answer.status_code == 400
    shown = text_of(answer)
    assert sentence in shown
    for text in (*kept.values(), *fields.values()):
        assert text in shown
    assert site.get_json("/schedules")["total"] == 0


def test_what_users_write_about_schedules_is_shown_as_text(site: Site) -> None:
    texts = {
        "name": EVIL,
        "description": EVIL,
        "tags": EVIL[:60],
        "parameters": '{"<b>": "<i>"}',
        "data": f'"{EVIL[2:15]}"',
    }
    made = send_form(site, f"{SCHEDULES}/new", **FIELDS | texts)
    place = made.request.path
    seen = ""
    for path in (SCHEDULES, place, f"{place}/edit", f"{SCHEDULES}/new?cron=%3Cb%3E&timezone=%22%3E%3Ci%3E"):
        text = site.get(path, {"Accept": "text/html"}).text
        assert "<img src=x" not in text, path
        assert len(re.findall("<script", text)) == 1, path
        assert not re.search(r"<[bi]>", text), path
        seen += html.unescape(text)
    assert seen.count("<img src=x onerror=alert(1)>") >= 5


def test_a_schedule_in_code_is_run_and_paused_but_not_changed_here(site: Site) -> None:
    system, kind = site.runtime, make_task_type("nightly", mirror, schedule="0 3 * * *")
    system.types.add(kind)
    DeclaredSchedules([kind], system.store, system.telemetry, system.clock, judges=True).declare()
    (found,) = site.get_json("/schedules")["items"]
    place = f"{SCHEDULES}/{found['id']}"
    assert "in code" in site.get(SCHEDULES).text
    page = site.get(place).text
    assert "change it there" in page
    assert "/edit" not in page
    assert 'value="delete"' not in page
    assert site.get(f"{place}/edit").status_code == 409
    assert site.client.post(place, data={"action": "delete"}).status_code == 409
    assert "is paused" in send_form(site, place, action="pause").text


def test_only_admins_see_the_buttons(site: Site, bearer: KeyMaker) -> None:
    place = send_form(site, f"{SCHEDULES}/new", **FIELDS).request.path
    key = bearer("submit")
    for path in (SCHEDULES, place):
        page = site.get(path, key).text
        assert "New schedule" not in page
        assert 'name="action"' not in page
    for path in (place, f"{place}/edit", f"{SCHEDULES}/new"):
        assert site.client.post(path, data=FIELDS | {"action": "run"}, headers=key).status_code == 403
    assert site.get_json(place.removeprefix("/dashboard"), key)["ticks"] == 0
