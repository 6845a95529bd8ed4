"""The page `/docs`: Swagger UI in a real browser, with and without API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from queue_tool.model.access import ApiKey, Role, digest
from queue_tool.runtime import Runtime
from queue_tool.services.submit import make_tokens
from tests.browser.chromium import Chromium, Window
from tests.support import System, http, now
from tests.web.flask_server import flask_server

if TYPE_CHECKING:
    from playwright.sync_api import Page

TAGS = ("tasks", "batches")
KEY = "qt_secret_of_submit"


def answer_of_try_it_out(page: Page, method: str, path: str) -> Any:
    """Send the example of an operation from the page; return the body of the response."""
    operation = page.locator(f".opblock-{method}").filter(has=page.locator(f'[data-path="{path}"]'))
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    with page.expect_response(f"**{path}*") as answer:
        operation.get_by_role("button", name="Execute").click()
    assert operation.locator(".live-responses-table .response-col_status").last.inner_text().startswith("200")
    return answer.value.json()


def test_the_page_shows_the_operations_and_sends_a_batch_within_its_policy(
    chromium: Chromium, lasting_system: System
) -> None:
    system = lasting_system

    def steps(window: Window) -> Any:
        opened = window.page.goto(system.url("/docs"))
        assert opened is not None
        assert "unsafe" not in opened.headers["content-security-policy"]
        for tag in TAGS:
            window.page.locator(f"#operations-tag-{tag}").wait_for()
        assert not window.page.locator("#access").is_visible()
        sent = answer_of_try_it_out(window.page, "post", "/api")
        assert [url for url in window.asked if not url.startswith(system.url("/"))] == []
        assert window.problems == []
        return sent

    sent = chromium.run(steps)
    assert sent["processing_items"][0]["index"] == 0
    assert http("POST", system.url(f"/batches/{sent['batch']}/cancel")).status == 200  # it leaves the system idle


def test_with_keys_the_page_asks_for_one_and_sends_it(chromium: Chromium, runtime: Runtime) -> None:
    key = ApiKey(id=make_tokens(1, now())[0], name="page", role=Role.SUBMIT, created_at=now())
    runtime.store.keys.add(key, digest(KEY))

    def steps(window: Window) -> None:
        page, tags = window.page, window.page.locator("#operations-tag-tasks")
        page.goto(f"http://127.0.0.1:{port}/docs")
        page.get_by_label("API key").fill("qt_wrong")
        assert not page.get_by_role("alert").is_visible()
        page.get_by_role("button", name="Show the API").click()
        page.get_by_role("alert").wait_for()
        assert page.get_by_label("API key").input_value() == ""
        assert not tags.is_visible()
        page.get_by_label("API key").fill(KEY)
        page.keyboard.press("Enter")
        tags.wait_for()
        assert not page.locator("#access").is_visible()
        assert answer_of_try_it_out(page, "get", "/queue")["queues"]  # this operation is small, so it is shown soon
        assert len(window.problems) == 2  # the document was asked for without a key, and with the wrong one
        assert all("401" in problem for problem in window.problems)

    with flask_server(runtime) as (port, _):
        chromium.run(steps)
