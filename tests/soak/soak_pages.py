"""Pages that stay open for minutes under load: they leak nothing in the browser, and ask nothing in a hidden tab.

`MINUTES` in the environment says how long each page stays open; ten minutes by default.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.chromium import Chromium, Window
from tests.browser.conftest import chromium
from tests.support import System, http

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, CDPSession, Page

__all__ = ["chromium"]

MINUTES = float(os.environ.get("MINUTES", "10"))

DRAWN = ("throughput", "failures", "run", "workers")
"""Charts that are empty until the first minute is over. The page has more nodes then."""

MORE_NODES = 1.15
"""A page may have more nodes at the end by this factor: more tasks of other states, and one more row here and there."""

MORE_HEAP = 2**20
"""Bytes of JavaScript objects that a page may have more at the end."""

EVERY = 0.5
"""Seconds between two batches of the load."""

HIDDEN = 15
"""Seconds for which the tab is hidden at the end; the pages ask every two to five seconds."""


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """A whole system."""
    made = System(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.kill_all()


@contextmanager
def load(system: System) -> Iterator[str]:
    """Send batches all the time, some of whose tasks fail. Yield the id of a batch that is not done meanwhile."""
    stopped = threading.Event()
    slow = [{"item": f"row {n}", "valor": n * 60 * MINUTES / 1000} for n in range(1000)]
    long = http("POST", system.url("/api?name=long"), slow).json["batch"]
    some = [{"item": f"row {n}", "valor": 0.1} for n in range(100)]
    failing = {"task_type": "simulate", "data": {"min": 0, "max": 0.2, "failure": 0.3}}

    def send() -> None:
        while not stopped.wait(EVERY):
            http("POST", system.url("/api?name=load"), some)
            http("POST", system.url("/tasks"), [failing] * 20)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield long
    finally:
        stopped.set()
        thread.join()


def sizes(session: CDPSession) -> dict[str, float]:
    """Return how much a page has, after a garbage collection."""
    session.send("HeapProfiler.collectGarbage")
    found: dict[str, Any] = session.send("Performance.getMetrics")
    return {each["name"]: each["value"] for each in found["metrics"]}


def opened(context: BrowserContext, address: str) -> tuple[Page, CDPSession]:
    """Open a page in a tab of its own."""
    page = context.new_page()
    page.goto(address)
    session = context.new_cdp_session(page)
    session.send("Performance.enable")
    return page, session


@pytest.mark.timeout(60 * MINUTES + 500)
def test_open_pages_leak_nothing_and_hidden_ones_ask_nothing(chromium: Chromium, system: System) -> None:
    with load(system) as batch:
        paths = ("/dashboard", "/dashboard/tasks", f"/dashboard/batches/{batch}", "/dashboard/deadletters")

        def steps(window: Window) -> None:
            tabs = {path: opened(window.page.context, system.url(path)) for path in paths}
            for name in DRAWN:
                tabs["/dashboard"][0].locator(f"#numbers-{name}").wait_for(timeout=200_000)
            before = {path: sizes(session) for path, (_, session) in tabs.items()}
            window.page.wait_for_timeout(60_000 * MINUTES)
            after = {path: sizes(session) for path, (_, session) in tabs.items()}
            for path in paths:
                asked = sum(url == system.url(path) for url in window.asked)
                names = ("Nodes", "JSEventListeners", "JSHeapUsedSize")
                print(path, asked, [(name, before[path][name], after[path][name]) for name in names])  # noqa: T201 - what a run found
                assert asked > 60 * MINUTES / 10, path
                assert after[path]["Nodes"] < MORE_NODES * before[path]["Nodes"], path
                assert after[path]["JSEventListeners"] <= before[path]["JSEventListeners"] + 5, path
                assert after[path]["JSHeapUsedSize"] < before[path]["JSHeapUsedSize"] + MORE_HEAP, path
            for page, _ in tabs.values():
                page.evaluate(HIDE)
            window.page.wait_for_timeout(3000)  # what was asked before is answered
            asked_before = len(window.asked)
            window.page.wait_for_timeout(1000 * HIDDEN)
            assert len(window.asked) == asked_before
            assert window.problems == []

        chromium.run(steps, within=60 * MINUTES + 400, viewport={"width": 1280, "height": 900})


HIDE = """
  Object.defineProperty(document, "hidden", { get: () => true });
  document.dispatchEvent(new Event("visibilitychange"));
"""
"""A headless browser hides no tab, so the page is told that it is hidden."""
