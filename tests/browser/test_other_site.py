"""What a page on another site can do in a browser on this machine, while no API key exists: nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.browser.chromium import Chromium, Window
from tests.support import System, eventually, http

TRICKS = """
async target => {
    const element = '{"item": "from elsewhere", "valor": 0}'
    const form = new URLSearchParams({items: `[${element}]`})
    const json = {"Content-Type": "application/json"}
    const tries = [
        ["/queue/default/pause", {method: "POST"}],
        ["/queue/default/pause", {method: "POST", mode: "no-cors"}],
        ["/queue/default/pause", {method: "POST", referrerPolicy: "no-referrer"}],
        ["/tasks/cancel", {method: "POST", body: '{"filter": {}}'}],
        ["/api", {method: "POST", body: `[${element}]`}],
        ["/api", {method: "POST", body: `[${element}]`, headers: json}],
        ["/tasks", {method: "POST", body: '{"task_type": "echo", "data": 1}', mode: "no-cors"}],
        ["/", {method: "POST", body: form}],
        ["/deadletter", {method: "DELETE"}],
        ["/tasks", {}],
        ["/check", {method: "POST", body: '{"tokens": []}'}],
    ]
    const ends = await Promise.allSettled(tries.map(([path, options]) => fetch(target + path, options)))
    return ends.map(end => end.value ? end.value.type : "failed")
}
"""
"""Each kind of request that a script can send. It returns how the script sees the answers."""

SUBMIT = """
([address, type, name, value]) => {
    const form = document.body.appendChild(document.createElement("form"))
    Object.assign(form, {action: address, method: "post", enctype: type})
    Object.assign(form.appendChild(document.createElement("input")), {name, value})
    form.submit()
}
"""

FORMS = [
    ("/", "/", "application/x-www-form-urlencoded", "items", '[{"item": "from elsewhere", "valor": 0}]'),
    ("/silent", "/", "application/x-www-form-urlencoded", "items", '[{"item": "from elsewhere", "valor": 0}]'),
    ("/", "/api", "text/plain", '[{"item": "from elsewhere", "valor": 0, "rest": "', '"}]'),
    ("/", "/queue/default/pause", "text/plain", "", ""),
]
"""The page with a form, where it goes, its encoding, and its one field with its value."""


class Page(BaseHTTPRequestHandler):
    """A page with nothing on it. Under /silent, its requests do not say from where they come."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        if self.path == "/silent":
            self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(b"<!doctype html><link rel=icon href=data:><body>")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def other_site() -> Iterator[str]:
    """The address of another site of this machine's."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def what_is_there(system: System) -> Any:
    """Return all that the tricks could change."""
    queue, tasks, batches = (http("GET", system.url(path)).json for path in ("/queue", "/tasks", "/batches?limit=1000"))
    return [each["paused"] for each in queue["queues"]], tasks["total"], len(batches["items"])


HOSTS = ("127.0.0.1", "localhost", "[::ffff:7f00:1]")
"""The names of this machine under which a page on another site may ask the service."""


REFUSED = "path=/queue/default/pause status=40"
"""What the log says of a refused request to pause a list."""


def tried(window: Window, other_site: str, target: str) -> tuple[set[str], set[int]]:
    """Try all tricks and forms; return how scripts see the answers, and the statuses that forms get."""
    window.page.goto(other_site)
    types = set(window.page.evaluate(TRICKS, target))
    statuses = set()
    for page, path, *rest in FORMS:
        window.page.goto(other_site + page)
        with window.page.expect_navigation(url=target + path) as answer:
            window.page.evaluate(SUBMIT, [target + path, *rest])
        statuses.add(answer.value.status)
    return types, statuses


def posts(log: str, refused: str) -> list[str]:
    """Return the lines of a log about POST, once four of them say that a request was refused."""
    lines = [line for line in log.splitlines() if "method=POST" in line]
    return lines if len([line for line in lines if refused in line]) >= 4 else []


def test_a_page_on_another_site_changes_nothing_and_reads_nothing(
    chromium: Chromium, lasting_system: System, other_site: str
) -> None:
    system = lasting_system
    before = what_is_there(system)

    def steps(window: Window) -> None:
        for host in HOSTS:  # in one window: to open one takes the most time
            told = len(system.log)
            types, statuses = tried(window, other_site, f"http://{host}:{system.port}")
            assert types == {"failed", "opaque"}, host
            assert statuses <= {401, 403}, host
            lines = eventually(lambda: posts(system.log[told:], REFUSED))
            assert len([line for line in lines if REFUSED in line]) == 4, host  # they did arrive
            assert [line for line in lines if " status=2" in line or " status=3" in line] == [], host

    chromium.run(steps)
    assert what_is_there(system) == before
