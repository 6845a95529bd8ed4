"""The way from an error page to the entry of its code, in a real browser."""

from __future__ import annotations

from tests.browser.chromium import Chromium, Window
from tests.support import System


def test_an_error_page_leads_to_the_entry_of_its_code(chromium: Chromium, lasting_system: System) -> None:
    def steps(window: Window) -> None:
        page = window.page
        page.goto(lasting_system.url("/tasks?colour=red"))
        page.get_by_role("link", name="What this error means").click()
        page.wait_for_url("**/docs/errors#bad_parameter")
        entry = page.locator("section:target")
        assert entry.get_attribute("id") == "bad_parameter"
        assert entry.evaluate("entry => entry.getBoundingClientRect().top < window.innerHeight")
        assert entry.evaluate("entry => getComputedStyle(entry).borderLeftStyle") == "solid"
        page.set_viewport_size({"width": 360, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        assert [url for url in window.asked if not url.startswith(lasting_system.url("/"))] == []
        assert [problem for problem in window.problems if "status of 400" not in problem] == []

    chromium.run(steps)
