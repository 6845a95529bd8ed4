"""The pages of tasks and dead letters in a real browser: journeys of an operator, and access for everyone."""

from __future__ import annotations

import re
from typing import Any

from queue_tool.model.access import ApiKey, Role, digest
from queue_tool.runtime import Runtime
from queue_tool.services.submit import make_tokens
from tests.browser.axe import violations
from tests.browser.chromium import Chromium, Window
from tests.support import System, eventually, http, now
from tests.web.flask_server import flask_server

LONG = {"task_type": "sleep", "data": {"item": "long", "valor": 600}}


CUT = """[...document.querySelectorAll(".wide, button, dt, th, td, h1, .state")]
    .filter(each => each.offsetParent && getComputedStyle(each).display !== "inline")
    .filter(each => each.scrollWidth > each.clientWidth + 1)
    .map(each => `${each.tagName} is cut: ${each.innerText}`)"""
"""Returns the elements whose text is wider than they are."""


def send(system: System, *tasks: dict[str, Any]) -> list[str]:
    """Send tasks; return their tokens."""
    answer = http("POST", system.url("/tasks"), list(tasks)).json
    return [element["hash"] for element in answer["processing_items"]]


def statuses(system: System, tokens: list[str]) -> list[str]:
    """Return the status of each task."""
    results = http("POST", system.url("/check"), {"tokens": tokens}).json["results"]
    return [result["status"] for result in results]


def test_an_operator_filters_selects_and_cancels_and_then_all_that_match(
    chromium: Chromium, lasting_system: System
) -> None:
    system = lasting_system
    some = send(system, *[LONG | {"tags": ["some"]}] * 3)
    others = send(system, *[LONG | {"tags": ["others"]}] * 2)

    def steps(window: Window) -> None:
        page = window.page
        page.goto(system.url("/dashboard/tasks"))
        page.get_by_text("More filters").click()
        page.get_by_label("Tag").fill("some")
        page.get_by_role("button", name="Filter").click()
        page.get_by_text("In all: 3").wait_for()
        page.get_by_label("Select this page").check()
        page.get_by_label(f"Select {some[0]}").uncheck()
        page.get_by_label("Why").fill("not now")
        page.get_by_role("button", name="Cancel selected").click()
        page.get_by_text("Canceled tasks: 2").wait_for()
        assert statuses(system, some).count("canceled") == 2
        page.get_by_label("Tag").fill("others")
        page.get_by_role("button", name="Filter").click()
        page.get_by_text("In all: 2").wait_for()
        page.get_by_role("button", name="Cancel all that match").click()
        assert page.locator("#total").inner_text() == "2"
        page.go_back()
        page.go_forward()
        page.get_by_role("button", name="Cancel all of these tasks").click()
        page.get_by_text("Canceled tasks: 2").wait_for()
        assert page.locator("tbody .state").all_inner_texts() == ["canceled"] * 2
        assert page.url.endswith("?tag=others&did=cancel&matched=2&changed=2")
        page.goto(system.url(f"/dashboard/tasks/{some[0]}"))
        page.get_by_text("Cancel …").click()
        page.get_by_role("button", name="Cancel this task").click()
        page.get_by_text("Canceled by").wait_for()
        assert window.problems == []

    chromium.run(steps)
    assert statuses(system, [*some, *others]) == ["canceled"] * 5


def test_a_list_shows_news_by_itself_but_not_while_something_is_selected(
    chromium: Chromium, lasting_system: System
) -> None:
    system = lasting_system
    (first,) = send(system, LONG | {"tags": ["live"]})

    def steps(window: Window) -> str:
        page = window.page
        page.goto(system.url("/dashboard/tasks?tag=live"))
        page.get_by_label(f"Select {first}").check()
        with page.expect_response(re.compile("tag=live")):
            (second,) = send(system, LONG | {"tags": ["live"]})
        page.wait_for_function("document.querySelectorAll('tbody tr').length === 1")
        assert page.get_by_label(f"Select {first}").is_checked()
        page.get_by_label(f"Select {first}").uncheck()
        page.locator("h1").click()
        page.evaluate("document.activeElement.blur()")
        page.get_by_label(f"Select {second}").wait_for()
        assert window.problems == []
        return second

    second = chromium.run(steps)
    http("POST", system.url("/tasks/cancel"), {"tokens": [first, second]})


def test_one_click_retries_a_kind_of_errors(chromium: Chromium, lasting_system: System) -> None:
    system = lasting_system
    failing = {"task_type": "simulate", "data": {"min": 0, "max": 0, "failure": 1}, "max_attempts": 1}
    tokens = send(system, failing, failing)
    eventually(lambda: statuses(system, tokens) == ["failed", "failed"])

    def steps(window: Window) -> None:
        page = window.page
        page.goto(system.url("/dashboard/deadletters"))
        row = page.locator("tbody tr", has_text="simulate").first
        row.get_by_role("button", name="Retry").click()
        page.get_by_text("Retried tasks: ").wait_for()
        assert window.problems == []

    chromium.run(steps)
    for token in tokens:
        eventually(lambda: http("GET", system.url(f"/tasks/{token}")).json["run"] == 2)
    eventually(lambda: statuses(system, tokens) == ["failed", "failed"])


def operator_pages(system: System) -> list[str]:
    """Return the paths of the pages of schedules, webhooks, queues, workers and keys, with something on each."""
    schedule = {"task_type": "echo", "cron": "0 6 * * 1", "timezone": "Europe/Lisbon", "name": "a long name " * 15}
    made = http("POST", system.url("/schedules"), schedule).json["id"]
    http("POST", system.url(f"/schedules/{made}/run"))
    hook = {"url": "https://1.1.1.1/" + "long/" * 40, "events": ["task.failed"], "tag": "no task has this"}
    webhook = http("POST", system.url("/webhooks"), hook).json["id"]
    http("POST", system.url(f"/webhooks/{webhook}/rotate"))
    names = ["schedules", f"schedules/{made}", f"schedules/{made}/edit", "schedules/new?cron=no", "webhooks"]
    names += [f"webhooks/{webhook}", "webhooks/new", "queues", "workers", "keys", "deadletters?delete=none"]
    return [f"/dashboard/{name}" for name in names]


def test_axe_finds_nothing_that_keeps_people_out_and_a_phone_shows_all(
    chromium: Chromium, lasting_system: System
) -> None:
    system = lasting_system
    sent = http("POST", system.url("/api"), [{"item": "a", "valor": 0}, {"item": "b"}]).json
    token = sent["processing_items"][0]["hash"]
    system.await_status(token, "finished")
    paths = ["/", "/dashboard", "/dashboard/tasks?limit=5", "/dashboard/tasks?tag=none&limit=0", "/no", "/login"]
    paths += ["/dashboard/batches", f"/dashboard/batches/{sent['batch']}", "/dashboard/deadletters"]
    paths += [f"/dashboard/tasks/{token}", "/dashboard/tasks?confirm=delete", *operator_pages(system)]

    def steps(window: Window) -> dict[str, list[str]]:
        found, page = {}, window.page
        for path in paths:
            page.emulate_media(color_scheme="light")
            page.set_viewport_size({"width": 1280, "height": 800})
            page.goto(system.url(path))
            found[path] = violations(page)
            page.emulate_media(color_scheme="dark")
            found[path] += violations(page, runOnly=["color-contrast"])
            page.set_viewport_size({"width": 390, "height": 800})
            width = page.evaluate("document.documentElement.scrollWidth")
            found[path] += [] if width <= 390 else [f"{width} pixels wide"]
        page.set_extra_http_headers({"Accept-Language": "ru"})  # of the languages, it has the longest words
        for path in (
            "/dashboard",
            "/dashboard/batches",
            "/dashboard/queues",
            "/dashboard/workers",
            "/dashboard/deadletters",
        ):
            for width in (1280, 390):
                page.set_viewport_size({"width": width, "height": 800})
                page.goto(system.url(path))
                found[path] += page.evaluate(CUT)
        return found

    found = chromium.run(steps)
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


def test_a_key_logs_in_sees_what_its_role_allows_and_logs_out(chromium: Chromium, runtime: Runtime) -> None:
    for role in (Role.READ, Role.ADMIN):
        key = ApiKey(id=make_tokens(1, now())[0], name=f"Ana {role.name}", role=role, created_at=now())
        runtime.store.keys.add(key, digest(f"qt_{role.name}"))

    def steps(window: Window) -> None:
        page = window.page
        page.goto(f"http://127.0.0.1:{port}/dashboard")
        for key in ("wrong", "READ"):
            page.get_by_label("API key").fill(f"qt_{key}")
            page.get_by_role("button", name="Log in").click()
            if key == "wrong":
                assert "does not accept" in page.get_by_role("alert").inner_text()
        page.get_by_role("heading", name="Overview").wait_for()
        assert "Ana READ" in page.locator(".role").inner_text()
        assert page.get_by_role("button", name="Pause").count() == 0
        status = page.evaluate(
            "fetch('/dashboard', {method: 'POST', body: new URLSearchParams({queue: 'low', action: 'pause'})})"
            ".then(answer => answer.status)"
        )
        assert status == 403
        page.get_by_role("button", name="Dark colors").click()
        page.locator("html[data-theme=dark]").wait_for()
        page.get_by_role("button", name="Log out").click()
        page.get_by_label("API key").wait_for()
        page.goto(f"http://127.0.0.1:{port}/dashboard/tasks?tag=x")
        page.get_by_label("API key").fill("qt_ADMIN")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Log out").wait_for()  # the form of the login is at this address too
        assert page.url.endswith("/dashboard/tasks?tag=x")
        page.goto(f"http://127.0.0.1:{port}/dashboard")
        page.get_by_role("button", name="Pause").last.click()
        page.get_by_text("paused").wait_for()

    with flask_server(runtime) as (port, _):
        chromium.run(steps)
    assert [queue.paused_at is not None for queue in runtime.list.queues()] == [False, False, True]
