"""Chromium, as people use it.

It has a thread of its own, because its driver leaves an event loop running, beside which no other may run.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from tests.support import LIMIT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Request

Found = TypeVar("Found")

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""The commands in the order of preference: the shell draws no window, which takes most of the others' time."""

OFF = (
    "DialMediaRouteProvider",
    "GlobalMediaControls",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "OptimizationHints",
    "PaintHolding",
    "SpareRendererForSitePerProcess",
    "Translate",
)
"""Features that no test needs: a renderer in reserve, and what Playwright switches off with a flag of the same name."""

FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-features=" + ",".join(OFF),
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)

WITHIN = 4 * LIMIT
"""Seconds that the steps of a test may take. Each of them may take LIMIT."""


def program() -> str | None:
    """Return the path of this machine's Chromium; None if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@dataclass
class Window:
    """A window that shares nothing with others: no cookies, no cache, no history."""

    page: Page
    asked: list[str] = field(default_factory=list)  # the address of each request
    problems: list[str] = field(default_factory=list)  # what the browser's console says

    def __post_init__(self) -> None:
        """Listen to all that the browser does here."""
        self.page.context.on("request", self._on_request)
        self.page.context.on("console", self._on_console)

    def _on_request(self, request: Request) -> None:
        self.asked.append(request.url)

    def _on_console(self, message: ConsoleMessage) -> None:
        self.problems.append(f"{message.type}: {message.text}")


class Chromium:
    """A running Chromium."""

    def __init__(self, path: str) -> None:
        """Start the program at this path."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="chromium")
        self._driver, self._browser = self._thread.submit(_start, path).result(WITHIN)

    def run(self, steps: Callable[[Window], Found], within: float = WITHIN, **options: Any) -> Found:
        """Take steps in a new window; return what they return. They run in the browser's thread.

        Args:
            steps: what is done in the window.
            within: seconds that all steps together may take.
            options: of the window, as Playwright has them: `viewport`, `color_scheme` and more.
        """
        return self._thread.submit(self._run, steps, options).result(within)

    def _run(self, steps: Callable[[Window], Found], options: dict[str, Any]) -> Found:
        with self._browser.new_context(**{"locale": "en-US", "timezone_id": "UTC"} | options) as context:
            context.set_default_timeout(1000 * LIMIT)
            return steps(Window(context.new_page()))

    def close(self) -> None:
        """End it."""
        self._thread.submit(self._browser.close).result(WITHIN)
        self._thread.submit(self._driver.stop).result(WITHIN)
        self._thread.shutdown()


def _start(path: str) -> tuple[Playwright, Browser]:
    from playwright.sync_api import sync_playwright  # not every platform has it

    driver = sync_playwright().start()
    return driver, driver.chromium.launch(executable_path=path, args=FLAGS)
