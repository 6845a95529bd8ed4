"""Every answer: its id, whether it may be stored, the ETag of what clients poll, and HEAD and OPTIONS of every path."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from queue_tool.host.current_request import current_id
from queue_tool.model import events
from queue_tool.runtime import Runtime
from queue_tool.web.http.request_ids import RequestIds, choose
from queue_tool.web.http.streams import AT_ONCE
from tests.conftest import News
from tests.web.conftest import KeyMaker
from tests.web.site import Site
from tests.web.test_access import FOREIGN, routes
from tests.web.test_problems import BROWSER, with_a_bug

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

DOCUMENTATION = ("/static/style.css", "/docs", "/openapi.json")
"""Paths whose answers have no data, and may be stored if the client asks each time whether they have changed."""

MINE = {"X-Request-Id": "My_own-id.1"}


class Walk:
    """All paths of the application, with a task and a batch that have ended."""

    def __init__(self, site: Site) -> None:
        """Make them."""
        self.site = site
        self.batch, (self.token,) = site.batch({})
        site.work(self.token)

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None) -> Any:
        """Send a request; return the whole answer."""
        body = b"{}" if method in ("POST", "PUT") else None
        more = {"Content-Type": "application/json"} if body else {}
        return self.site.client.open(path, method=method, data=body, headers=more | (headers or {}), buffered=True)

    def path(self, rule: str) -> str:
        """Return a path of this rule."""
        for name, text in {"path:token": self.token, "token": self.token, "batch": self.batch, "name": "low"}.items():
            rule = rule.replace(f"<{name}>", text)
        return rule.replace("<path:filename>", "style.css").replace("/events", "/events?seconds=0")

    def paths(self, method: str = "") -> list[str]:
        """Return a path of each rule that has this method."""
        found = routes(self.site.app)
        return sorted({self.path(rule) for its_method, rule, _ in found if method in ("", its_method)})

    def steadily(self, check: Callable[[str], Any], path: str) -> Any:
        """Check the answers of a path. If it fails and the path's answer changed meanwhile, check again.

        A heartbeat, a measure or a new minute changes some answers at any time, but none of them in each request.
        """
        for _ in range(5):
            before = self.headers(path)
            try:
                return check(path)
            except AssertionError:
                if self.headers(path) == before:
                    raise
        raise AssertionError(f"the answer of {path} changes in each request")

    def headers(self, path: str) -> list[tuple[str, str]]:
        """Return the headers of an answer to GET that say whether it has changed."""
        headers = self.ask("GET", path, MINE).headers
        headers.pop("Date", None)  # the server may begin a new second between two answers
        return sorted(headers)

    def streams(self) -> set[str]:
        """Return the paths whose answers are streams."""
        return {
            f"/batches/{self.batch}/results",
            f"/dashboard/batches/{self.batch}/results",
            "/static/style.css",
            "/events?seconds=0",
        }


@pytest.fixture
def walk(site: Site) -> Walk:
    return Walk(site)


# -- the id of a request -----------------------------------------------------------------------------------


def test_every_answer_has_the_id_of_its_request_and_only_documentation_may_be_stored(walk: Walk) -> None:
    seen = []
    for path in [*walk.paths(), "/nothing", "/static/nothing"]:
        for method in ("OPTIONS", *METHODS):
            answer = walk.ask(method, path, MINE)
            assert answer.headers.getlist("X-Request-Id") == ["My_own-id.1"], (method, path)
            if answer.mimetype == "application/problem+json" and method != "HEAD":
                assert answer.json["request_id"] == "My_own-id.1"
            stored = "no-cache" if path in DOCUMENTATION and answer.status_code == 200 else "no-store"
            allowed = {"no-store"} if method == "OPTIONS" or answer.status_code >= 400 else {stored}
            assert {answer.headers["Cache-Control"]} == allowed, (method, path)
            seen.append(answer.status_code)
    assert set(seen) >= {200, 202, 204, 400, 404, 405, 409, 415}, set(seen)


def test_a_page_about_an_error_shows_the_id(walk: Walk) -> None:
    assert "My_own-id.1" in walk.ask("GET", "/nothing", MINE | {"Accept": BROWSER}).text


@pytest.mark.parametrize("good", ["a", "0", "A.b_c-9", "x" * 64, "....", "-"])
def test_a_clients_own_id_is_used(good: str) -> None:
    assert choose(good) == good


@pytest.mark.parametrize("bad", [None, "", "x" * 65, "a b", "a\n", "a,b", "é", "٣", "a\0", '"', "\x1b[0m", "x" * 10**5])
def test_any_other_id_is_replaced_by_a_new_one(bad: str | None) -> None:
    made = {choose(bad) for _ in range(100)}
    assert len(made) == 100
    assert {choose(each) for each in made} == made
    assert {len(each) for each in made} == {16}


def test_an_answer_to_a_bad_id_has_a_new_one_on_the_fast_path_too(walk: Walk) -> None:
    for path in (f"/check/{walk.token}", "/tasks", "/nothing"):
        ids = {walk.ask("GET", path, {"X-Request-Id": "a b"}).headers["X-Request-Id"] for _ in range(5)}
        assert len(ids) == 5
        assert all(choose(each) == each for each in ids)


class Lines(logging.Handler):
    """Keeps each line of the log with the id of the request in whose thread it was written."""

    def __init__(self) -> None:
        """Start without lines."""
        super().__init__()
        self.lines: list[tuple[str, str | None]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.getMessage(), current_id()))


@pytest.fixture
def lines() -> Iterator[list[tuple[str, str | None]]]:
    handler = Lines()
    logging.getLogger("queue_tool").addHandler(handler)
    yield handler.lines
    logging.getLogger("queue_tool").removeHandler(handler)


def test_events_and_tracebacks_of_a_request_have_its_id(
    runtime: Runtime, news: News, lines: list[tuple[str, str | None]]
) -> None:
    client = with_a_bug(runtime).test_client()
    token = client.post("/api", json=[{"item": "a", "valor": 1}], headers=MINE).json["processing_items"][0]["hash"]  # type: ignore[index] # a batch
    client.get(f"/check/{token}", headers=MINE)
    assert client.get("/breaks", headers=MINE).status_code == 500
    asked = [(event.path, event.request_id) for event in news.of(events.Asked)]
    assert asked == [(f"/check/{token}", "My_own-id.1")]
    requested = [(event.path, event.status, event.request_id) for event in news.of(events.Requested)]
    assert requested == [("/api", 200, "My_own-id.1"), ("/breaks", 500, "My_own-id.1")]
    assert lines == [("unexpected error in GET /breaks", "My_own-id.1")]
    assert current_id() is None


def test_a_stream_is_made_and_closed_as_a_part_of_its_request() -> None:
    seen: list[str | None] = []

    class Stream(Iterator[bytes]):
        def __next__(self) -> bytes:
            seen.append(current_id())
            if len(seen) == 3:
                raise StopIteration
            return b"x"

        def close(self) -> None:
            seen.append(current_id())

    headers: list[Any] = []

    def application(_environ: object, start: Any) -> Stream:
        start("200 OK", [])
        return Stream()

    parts: Any = RequestIds(application)({"HTTP_X_REQUEST_ID": "r-1"}, lambda _, sent: headers.extend(sent))  # type: ignore[arg-type] # a server's function may do more
    assert current_id() is None
    assert list(parts) == [b"x", b"x"]
    parts.close()
    assert headers == [("X-Request-Id", "r-1")]
    assert seen == ["r-1"] * 4
    assert current_id() is None


# -- ETag --------------------------------------------------------------------------------------------------


def test_json_has_an_etag_and_what_a_client_has_already_is_not_sent_again(walk: Walk) -> None:
    def check(path: str) -> bool:
        """Return whether the path's answer has an ETag, and check what a client gets that has this answer already."""
        first = walk.ask("GET", path)
        if first.status_code != 200 or first.mimetype not in ("application/json", "text/html"):
            assert "ETag" not in first.headers or path in {*walk.streams(), "/metrics"}  # there it is also JSON
            return False
        tag = first.headers["ETag"]
        for known in (tag, f"W/{tag}", f'"another", {tag}', "*"):
            again = walk.ask("GET", path, MINE | {"If-None-Match": known, "Prefer": "wait=1"})
            assert (again.status_code, again.data) == (304, b""), (path, known)
            kept = {"ETag": tag, "X-Request-Id": "My_own-id.1", "Cache-Control": first.headers["Cache-Control"]}
            assert kept.items() <= dict(again.headers).items()
            assert again.headers.get("Vary") == first.headers.get("Vary")
            waits = path.startswith(("/check/", "/tasks/", "/results/", "/batches/"))
            waits &= path != "/tasks/search" and not path.endswith("/elements")
            assert again.headers.get("Preference-Applied") == ("wait=1" if waits else None), path
            assert "Content-Type" not in again.headers
        other = walk.ask("GET", path, {"If-None-Match": '"another"'})
        assert (other.status_code, other.headers["ETag"], other.data) == (200, tag, first.data)
        return True

    has_age = "/workers"  # of each heartbeat
    polled = [path for path in walk.paths("GET") if path != has_age and walk.steadily(check, path)]
    assert len(polled) >= 10


def test_the_etag_changes_with_the_task(site: Site) -> None:
    token = site.send()
    paths = [f"/check/{token}", f"/tasks/{token}", f"/tasks/{token}/status", f"/results/{token}", "/tasks", "/queue"]
    before = [site.get(path).headers["ETag"] for path in paths]
    site.work(token)
    for path, tag in zip(paths, before, strict=True):
        changed = site.get(path, {"If-None-Match": tag})
        assert changed.status_code == 200
        assert changed.headers["ETag"] != tag


# -- HEAD and OPTIONS --------------------------------------------------------------------------------------


def test_head_has_the_status_and_the_headers_of_get_and_no_body(walk: Walk) -> None:
    def check(path: str) -> None:
        get, head = walk.ask("GET", path, MINE), walk.ask("HEAD", path, MINE)
        assert (head.status_code, head.data) == (get.status_code, b""), path
        for answer in (get, head):
            answer.headers.pop("Date", None)  # the server may begin a new second between the two
        assert sorted(head.headers) == sorted(get.headers), path
        assert ("Content-Length" in head.headers) == (path not in walk.streams() - {"/static/style.css"}), path

    for path in [*walk.paths("GET"), "/nothing", "/check/unknown", "/tasks?limit=0", "/static/nothing"]:
        walk.steadily(check, path)


def test_head_starts_no_stream(walk: Walk) -> None:
    path = f"/batches/{walk.batch}/results"
    heads = [walk.site.client.head(path) for _ in range(AT_ONCE + 1)]  # unlike a stream, nothing of them is open
    assert {head.status_code for head in heads} == {200}
    assert walk.ask("GET", path).status_code == 200


def test_options_lists_all_methods_of_a_path_needs_no_key_and_changes_nothing(
    walk: Walk, app: Flask, bearer: KeyMaker
) -> None:
    waiting = walk.site.send()
    walk.token = waiting
    key = bearer("admin")
    before = {path: walk.ask("GET", path, key).data for path in ("/tasks", "/batches")}
    client = app.test_client()
    told = {}
    for path in walk.paths():
        answer = client.options(path, headers={"Host": "evil.example", "Via": "x"}, environ_overrides=FOREIGN)
        assert (answer.status_code, answer.data) == (204, b""), path
        assert not {"Content-Type", "Content-Length"} & set(answer.headers.keys())
        told[path] = answer.headers["Allow"]
    assert {path: walk.ask("GET", path, key).data for path in before} == before
    assert walk.ask("OPTIONS", "/nothing").status_code == 404
    for path, allow in told.items():
        tried = {method: walk.ask(method, path, key) for method in METHODS}
        works = {method for method, answer in tried.items() if answer.status_code != 405}
        assert allow == ", ".join(sorted(works | {"OPTIONS"})), path
        refused = [answer.headers["Allow"] for answer in tried.values() if answer.status_code == 405]
        assert refused
        assert set(refused) == {allow}, path
    assert told["/tasks"] == "GET, HEAD, OPTIONS, POST"
    assert told["/deadletter"] == "DELETE, GET, HEAD, OPTIONS"
    assert told["/tasks/cancel"] == "GET, HEAD, OPTIONS, POST"
