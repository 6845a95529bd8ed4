"""The pages of tasks, batches and dead letters: what they show, and what their forms change."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from queue_tool.services.listing import MOST_COUNTED
from queue_tool.web.groups import groups
from queue_tool.web.pages import docs
from tests.web.site import ON_BOTH, UNKNOWN, Site

EVIL = "\"><img src=x onerror=alert(1)><script>alert('1')</script>{{ 'xy'*7 }}"

TASKS = "/dashboard/tasks"

STATIC = Path(docs.__file__).with_name("static")


def tokens_on(site: Site, path: str) -> list[str]:
    """Return the tokens of the tasks in a list."""
    answer = site.get(path)
    assert answer.status_code == 200, answer.text
    return re.findall(r'name="token" value="([0-9a-f]{32})"', answer.text)


def send_form(site: Site, path: str, **fields: object) -> Any:
    """Send a form, and follow the way to the next page."""
    return site.client.post(path, data=fields, follow_redirects=True)


def test_whatever_users_write_is_shown_as_text(site: Site) -> None:
    texts = {"name": EVIL, "custom_id": EVIL[:20], "tags": [EVIL[:40]], "description": EVIL}
    written = texts | {"parameters": {EVIL: EVIL}, "unique_key": EVIL, "data": {"item": EVIL, EVIL: [EVIL]}}
    query = f"?{urlencode({'name': '<b>', 'metadata.<i>': '<i>'})}"
    batch, (token, canceled, failed, _) = site.batch(
        written, {"data": 1}, {"task_type": "fails", "data": EVIL}, {"task_type": EVIL}, query=query
    )
    site.work(token, failed)
    site.post_json(f"/tasks/{canceled}/cancel", {"reason": EVIL, "by": EVIL})
    paths = [TASKS, f"{TASKS}?q=%22%3E%3Cimg", f"/dashboard/batches/{batch}", "/dashboard/batches", "/dashboard"]
    paths += [f"{TASKS}/{each}" for each in (token, canceled, failed)]
    paths += ["/dashboard/deadletters", f"{TASKS}?tag=%3Cscript%3E&status=%3Cscript%3E"]
    seen = ""
    for path in paths:
        text = site.get(path, {"Accept": "text/html"}).text
        assert "<img src=x" not in text, path
        assert len(re.findall("<script", text)) == 1, path
        assert not re.search(r"<[bi]>", text), path
        assert "xyxyxy" not in text, path
        seen += html.unescape(text)
    assert seen.count("<img src=x onerror=alert(1)>") >= 10


def test_the_list_shows_what_the_filter_of_the_api_selects_page_by_page(site: Site) -> None:
    first, second, third = site.send(tags=["red"]), site.send(name="apple"), site.send(task_type="fails")
    site.work(third)
    assert tokens_on(site, TASKS) == [third, second, first]
    for query, found in [
        ("status=failed", [third]),
        ("tag=red", [first]),
        ("q=app", [second]),
        ("q=&status=&tag=", [third, second, first]),
        ("code=error&task_type=fails&priority=normal&created_after=2026-01-01T00%3A00", [third]),
        ("created_before=2026-01-01T00%3A00%3A00", []),
        (f"limit=2&cursor={site.get_json('/tasks?limit=2')['next']}", [first]),
    ]:
        assert tokens_on(site, f"{TASKS}?{query}") == found, query
    newest = site.get(f"{TASKS}?limit=2").text
    (older,) = re.findall(r'rel="next" href="([^"]+)"', newest)
    assert tokens_on(site, html.unescape(older)) == [first]


@pytest.mark.parametrize(
    "query", ["status=lost", "created_after=now", "colour=red", "cursor=x", "cursor=é", "q=%00", "limit=0"]
)
def test_a_mistake_in_the_filter_is_named_and_the_form_keeps_its_fields(site: Site, query: str) -> None:
    answer = site.get(f"{TASKS}?{query}&tag=kept")
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert 'value="kept"' in answer.text


@ON_BOTH
def test_selected_tasks_are_canceled_with_the_reason_and_retried(site: Site) -> None:
    first, second, other = site.send(), site.send(), site.send()
    answer = send_form(
        site, TASKS, action="cancel", token=[first, second, UNKNOWN, "x"], reason="sent <twice>", by="Ana", filter="q="
    )
    assert "Canceled tasks: 2" in answer.text
    assert [site.status(token) for token in (first, second, other)] == ["canceled", "canceled", "queued"]
    page = site.get(f"{TASKS}/{first}").text
    assert "Canceled by Ana: sent &lt;twice&gt;" in page
    again = send_form(site, TASKS, action="cancel", token=[first, other])
    assert "Canceled tasks: 1 of 2" in again.text
    send_form(site, f"{TASKS}/{first}", action="retry")
    assert site.status(first) == "queued"
    send_form(site, f"{TASKS}/{first}", action="cancel", reason="no")
    assert site.get_json(f"/tasks/{first}")["cancel_reason"] == "no"


@ON_BOTH
def test_all_that_match_are_changed_after_a_page_that_says_how_many(site: Site, bearer: Any) -> None:
    wanted = [site.send(tags=["old"]) for _ in range(3)]
    kept = site.send()
    site.work(wanted[0])
    asked = send_form(site, TASKS, action="cancel_all", filter="tag=old&limit=1")
    assert asked.request.query_string == b"tag=old&limit=1&confirm=cancel"
    assert '<strong id="total">2</strong>' in asked.text
    assert [site.status(token) for token in wanted] == ["finished", "queued", "queued"]
    everything = send_form(site, TASKS, action="cancel_all", filter="")
    assert '<strong id="total">3</strong>' in everything.text
    assert "There is no filter" in everything.text
    done = send_form(site, TASKS, action="cancel_all", filter="tag=old", confirmed="yes", reason="why", by="who")
    assert "Canceled tasks: 2" in done.text
    assert [site.status(token) for token in (*wanted, kept)] == ["finished", "canceled", "canceled", "queued"]
    assert site.get_json(f"/tasks/{wanted[2]}")["canceled_by"] == "who"
    assert "Retried tasks: 2" in send_form(site, TASKS, action="retry_all", filter="tag=old", confirmed="yes").text
    nothing = send_form(site, TASKS, action="retry_all", filter="status=running")
    assert '<strong id="total">0</strong>' in nothing.text
    key = bearer("submit")
    refused = site.client.post(TASKS, data={"action": "cancel_all", "confirmed": "yes"}, headers=key)
    assert refused.status_code == 403


@pytest.mark.parametrize("fields", [{}, {"action": "remove"}, {"action": "cancel", "filter": "colour=red"}])
def test_a_form_that_makes_no_sense_changes_nothing(site: Site, fields: dict[str, str]) -> None:
    token = site.send()
    assert site.client.post(TASKS, data=fields | {"token": token}).status_code == 400
    assert site.status(token) == "queued"


def test_the_page_of_a_task_has_its_attempts_its_result_and_a_command_that_sends_it_again(site: Site) -> None:
    data = {"it's": [1, "é"]}
    good, bad = site.send(data=data, tags=["t"], name="mine"), site.send(task_type="fails", data="x")
    site.work(good, bad)
    page = html.unescape(site.get(f"{TASKS}/{good}").text)
    assert '"it\'s": [' in page
    assert "curl http://localhost/tasks" in page
    assert '"name":"mine","tags":["t"]' in page
    failed = html.unescape(site.get(f"{TASKS}/{bad}").text)
    assert "ValueError: not 'x' again" in failed
    assert "Traceback" in failed
    long = site.send(data="x" * 300_000)
    assert len(site.get(f"{TASKS}/{long}").text) < 40_000
    assert site.get(f"{TASKS}/{UNKNOWN}").status_code == 404


@ON_BOTH
def test_a_kind_of_errors_is_retried_with_one_click(site: Site) -> None:
    same = [site.send(task_type="fails", data=f"row {n}") for n in (1, 22, 333)]
    other = site.send(task_type="fails", data="else")
    site.work(*same, other)
    page = site.get("/dashboard/deadletters").text
    assert "ValueError: not &#39;row …&#39; again" in page
    first, second = re.findall(r'name="group" value="([0-9a-f]+)"', page)
    done = send_form(site, "/dashboard/deadletters", group=first)
    assert "Retried tasks: 3" in done.text
    assert [site.status(token) for token in (*same, other)] == ["queued"] * 3 + ["failed"]
    assert re.findall(r'name="group" value="([0-9a-f]+)"', done.text) == [second]


def test_a_batch_shows_its_counts_and_its_results_can_be_downloaded(site: Site) -> None:
    batch, (first, second, _) = site.batch({"data": "a"}, {"task_type": "fails"}, {"task_type": "none such"})
    page = f"/dashboard/batches/{batch}"
    site.work(first)
    shown = site.get(page).text
    assert "data-refresh=" in shown
    assert "66.6\u202f%" in shown
    assert "none such" in shown
    assert "Canceled tasks: 1" in send_form(site, page, action="cancel").text
    assert site.status(second) == "canceled"
    assert "Retried tasks: 1" in send_form(site, page, action="retry").text
    site.work(second)
    over = site.get(page).text
    assert "data-refresh=" not in over
    assert "100\u202f%" in over
    for name, accept in (("csv", "text/csv"), ("jsonl", "application/jsonl")):
        file = site.get(f"{page}/results?format={name}")
        assert file.data == site.get(f"/batches/{batch}/results", {"Accept": accept}).data
        assert file.headers["Content-Disposition"] == f'attachment; filename="{batch}.{name}"'
    assert site.get(f"{page}/results?format=xml").status_code == 400
    assert re.findall(rf'href="{page}"', site.get("/dashboard/batches?name=").text)
    assert "Nothing matches" in site.get("/dashboard/batches?name=other").text


def test_the_overview_counts_each_state_and_pauses_a_queue(site: Site) -> None:
    site.send(delay=60)
    site.claim(site.send())
    found = site.get("/dashboard").text
    counts = re.findall(r'status=(\w+)">\w+</a></dt><dd>(\d+)</dd>', found)
    assert dict(counts) == {"scheduled": "1", "queued": "0", "running": "1"} | dict.fromkeys(
        ("finished", "failed", "canceled"), "0"
    )
    assert "paused" in send_form(site, "/dashboard", queue="low", action="pause").text
    assert site.get_json("/queue")["queues"][2]["paused"]
    assert "paused" not in send_form(site, "/dashboard", queue="low", action="resume").text
    assert site.client.post("/dashboard", data={"queue": "none", "action": "pause"}).status_code == 400


def test_no_page_with_its_files_is_larger_than_150_kb(site: Site) -> None:
    batch, (token, *_) = site.batch(*[{"name": f"{n} {'x' * 200}", "tags": ["a" * 60, "b"]} for n in range(200)])
    files = sum((STATIC / name).stat().st_size for name in ("style.css", "icon.svg", "pages.js", *MODULES))
    for path in (TASKS, f"{TASKS}/{token}", "/dashboard", f"/dashboard/batches/{batch}", "/dashboard/batches", "/"):
        assert len(site.get(path).data) + files < 150_000, path


MODULES = (*re.findall(r'from "./(\w+[.]js)"', (STATIC / "pages.js").read_text()), "charts.css")


@pytest.mark.sqlite
def test_errors_filters_and_the_time_zone_are_named_in_the_language_of_the_reader(site: Site) -> None:
    browser = {"Accept": "text/html", "Accept-Language": "pt"}
    unknown = site.get(f"{TASKS}/{UNKNOWN}", browser)
    assert unknown.status_code == 404
    assert "404 Não encontrado</h1>" in unknown.text
    assert "Não há tarefa com este token" in unknown.text
    assert "Job not found" not in unknown.text
    special = site.get("/dashboard?span=week", browser).text  # no language has these words
    assert '<span lang="en">span must be one of' in special
    (name, found) = ("e\u202eman", site.send(name="e\u202eman", custom_id="x", tags=["a"]))
    assert f"<bdi>{name}</bdi>" in site.get(f"{TASKS}/{found}").text  # it turns no text around it
    assert "Horários: <span data-zone>UTC</span>" in site.get(TASKS, browser).text
    confirm = site.get(f"{TASKS}?confirm=cancel&tag=a&status=queued&custom_id=x", browser).text
    for label in ("<dt>Etiqueta</dt>", "<dd>na fila</dd>", '<dt class="own">custom_id</dt>'):
        assert label in confirm


def test_a_list_of_more_than_is_counted_says_so(site: Site) -> None:
    site.batch(*[{"data": 1}] * (MOST_COUNTED + 1))
    total = "10\u202f000+"
    assert f"In all: {total}" in site.get(TASKS).text
    assert f'<strong id="total">{total}</strong>' in send_form(site, TASKS, action="cancel_all", filter="").text


def test_every_page_is_declared_as_no_part_of_the_document() -> None:
    pages = [operation for group in groups() for operation in group.operations if "/dashboard" in operation.path]
    assert len(pages) == 31
    assert not any(operation.in_document for operation in pages)
