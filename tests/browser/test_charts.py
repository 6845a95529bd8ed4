"""Charts in a real browser: the pointer and the keys read values, live parts stay live, and nobody is kept out."""

from __future__ import annotations

from datetime import timedelta

from queue_tool.model.metrics import ENDED, Measure
from queue_tool.runtime import Runtime
from queue_tool.services.measures.sums import labels_text
from tests.browser.axe import violations
from tests.browser.chromium import Chromium, Window
from tests.measured import measure
from tests.support import now
from tests.web.flask_server import flask_server


def test_the_pointer_and_the_keys_read_a_chart_which_stays_live(chromium: Chromium, runtime: Runtime) -> None:
    measure(runtime.store, now(), 60)

    def steps(window: Window) -> None:
        page = window.page
        page.goto(f"http://127.0.0.1:{port}/dashboard")
        plot = page.get_by_role("slider", name="Ended tasks per minute")
        readout = plot.locator(".readout")
        assert not readout.is_visible()
        plot.locator(".drawn > svg").hover()
        readout.get_by_text("finished").wait_for()
        page.locator("h1").hover()
        readout.wait_for(state="hidden")
        page.get_by_role("link", name="Last day").focus()
        page.keyboard.press("Tab")
        newest = page.locator("#live-numbers-throughput tbody tr").first
        values = newest.locator("th, td").all_text_contents()
        assert [readout.inner_text().split("\n")[0], readout.locator("span").count()] == [values[0], 3]
        page.keyboard.press("Home")
        assert plot.get_attribute("aria-valuenow") == "0"
        page.keyboard.press("ArrowRight")
        assert plot.get_attribute("aria-valuenow") == "1"
        assert "finished" in (plot.get_attribute("aria-valuetext") or "")
        path = page.locator("#live-chart-throughput .area .finished").get_attribute("d")
        ended = Measure(metric=ENDED.name, labels=labels_text(ENDED, ("finished",)), value=1000)
        runtime.store.measures.add([ended], now() - timedelta(minutes=1))
        page.wait_for_function(
            "old => document.querySelector('#live-chart-throughput .area .finished').getAttribute('d') !== old",
            arg=path,
        )
        assert readout.is_visible()
        assert plot.evaluate("plot => plot === document.activeElement")
        page.locator("#numbers-throughput summary").click()
        assert page.locator("#numbers-throughput tbody tr").count() == 60
        found = violations(page)
        page.emulate_media(color_scheme="dark")
        found += violations(page, runOnly=["color-contrast"])
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert (found, window.problems) == ([], [])

    with flask_server(runtime) as (port, _):
        chromium.run(steps, viewport={"width": 1280, "height": 900})
