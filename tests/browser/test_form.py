"""The form of the home page in a real browser."""

from __future__ import annotations

import json
import re

import pytest

from tests.browser.chromium import Chromium, Window
from tests.support import System, http

ELEMENTS = json.dumps([{"item": "<b>first</b>", "valor": 0}, {"item": "second", "valor": "x"}])


def number_of_batches(system: System) -> int:
    return len(http("GET", system.url("/batches?limit=1000")).json["items"])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_form_sends_a_batch_once_and_its_page_comes_again(
    chromium: Chromium, lasting_system: System, host: str
) -> None:
    system = lasting_system
    home = f"http://{host}:{system.port}/"
    before = number_of_batches(system)

    def steps(window: Window) -> str:
        page = window.page
        page.goto(home)
        page.get_by_label("Each item needs").fill(ELEMENTS)
        page.get_by_role("button", name="Send").click()
        page.wait_for_url(re.compile(r"/\?batch=[0-9a-f]{32}$"))
        shown = page.locator("tbody tr").all_inner_texts()
        assert "<b>first</b>" in shown[0]
        assert "second" in shown[1]
        assert "/valor" in shown[1]
        token = page.locator("tbody a").inner_text()
        for come_again in (page.reload, page.go_back, page.go_forward):
            come_again()
        assert page.locator("tbody tr").all_inner_texts() == shown
        assert [url for url in window.asked if not url.startswith(home)] == []
        assert window.problems == []
        page.get_by_role("link", name=token).click()
        assert json.loads(page.locator("pre").inner_text())["item"] == "<b>first</b>"
        return token

    token = chromium.run(steps)
    system.await_status(token, "finished")
    assert number_of_batches(system) == before + 1


def test_a_text_that_cannot_be_sent_stays_in_the_form_with_the_reason(
    chromium: Chromium, lasting_system: System
) -> None:
    def steps(window: Window) -> None:
        page = window.page
        page.goto(lasting_system.url("/"))
        with page.expect_response(lasting_system.url("/")) as answer:
            page.get_by_label("Each item needs").fill('{"item": ')
            page.get_by_role("button", name="Send").click()
        assert answer.value.status == 400
        assert "JSON" in page.get_by_role("alert").inner_text()
        assert page.locator("textarea").input_value() == '{"item": '

    chromium.run(steps)
