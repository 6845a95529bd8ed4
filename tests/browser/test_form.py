"""The form of the home page in a real browser."""

from __future__ import annotations

import json
import re

from tests.browser.chromium import Chromium, Window
from tests.support import System, http

ELEMENTS = json.dumps([{"item": "<b>first</b>", "valor": 0}, {"item": "second", "valor": "x"}])

DROP = """
([text, name]) => {
    const dataTransfer = new DataTransfer()
    dataTransfer.items.add(new File([text], name))
    const form = document.querySelector("form[data-drop]")
    for (const type of ["dragover", "drop"])
        form.dispatchEvent(new DragEvent(type, {bubbles: true, cancelable: true, dataTransfer}))
}
"""
"""Drops a file with this text and name on the form."""


def number_of_batches(system: System) -> int:
    return len(http("GET", system.url("/batches?limit=1000")).json["items"])


def test_a_pasted_text_is_sent_once_and_its_page_shows_the_end_without_a_reload(
    chromium: Chromium, lasting_system: System
) -> None:
    system = lasting_system
    before = number_of_batches(system)

    def steps(window: Window) -> None:
        page = window.page
        page.goto(system.url("/"))
        page.get_by_label("Elements:").fill(ELEMENTS.replace('"valor": 0', '"valor": 1'))
        page.get_by_role("button", name="Send", exact=True).click()
        page.wait_for_url(re.compile(r"/dashboard/batches/[0-9a-f]{32}$"))
        page.evaluate("window.isTheSamePage = true")
        page.get_by_text("finished in").wait_for()
        assert page.evaluate("window.isTheSamePage")
        page.locator("body:not([data-refresh])").or_(page.locator("body[data-refresh='0']")).wait_for()
        shown = page.locator("#live-elements tbody tr").all_inner_texts()
        assert "<b>first</b>" in shown[0]
        assert "/valor" in page.locator(".refused").inner_text()
        for come_again in (page.reload, page.go_back, page.go_forward):
            come_again()
        assert page.locator("#live-elements tbody tr").all_inner_texts() == shown
        assert [url for url in window.asked if not url.startswith(system.url("/"))] == []
        assert window.problems == []
        page.locator("#live-elements tbody a").first.click()
        assert '"item": "<b>first</b>"' in page.locator("pre").first.inner_text()

    chromium.run(steps)
    assert number_of_batches(system) == before + 1


def test_a_dropped_file_is_checked_mapped_and_sent(chromium: Chromium, lasting_system: System) -> None:
    system = lasting_system

    def steps(window: Window) -> str:
        page = window.page
        page.goto(system.url("/"))
        page.evaluate(DROP, ["label,valor\r\nfirst,0\r\nsecond,0\r\n", "rows.csv"])
        page.get_by_role("button", name="Check").click()
        page.get_by_text("Checked as CSV: 0 of 2").wait_for()
        page.get_by_label("label").select_option("item")
        page.get_by_role("button", name="Check").click()
        page.get_by_text("Checked as CSV: 2 of 2").wait_for()
        assert page.get_by_label("label").input_value() == "item"
        page.get_by_role("button", name="Send", exact=True).click()
        page.get_by_text("finished in").wait_for()
        with page.expect_download() as download:
            page.get_by_role("link", name="Download CSV").click()
        assert window.problems == []
        return download.value.path().read_text()

    rows = chromium.run(steps).splitlines()
    assert [row.split(",")[2] for row in rows] == ['"item"', '"first"', '"second"']


def test_a_text_that_cannot_be_sent_stays_in_the_form_with_the_reason(
    chromium: Chromium, lasting_system: System
) -> None:
    def steps(window: Window) -> None:
        page = window.page
        page.goto(lasting_system.url("/"))
        with page.expect_response(lasting_system.url("/")) as answer:
            page.get_by_label("Elements:").fill('{"item": ')
            page.get_by_role("button", name="Send", exact=True).click()
        assert answer.value.status == 400
        assert "JSON" in page.get_by_role("alert").inner_text()
        assert page.locator("textarea").input_value() == '{"item": '

    chromium.run(steps)
