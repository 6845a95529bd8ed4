"""Errors: an HTML page for a browser, problem details for other clients, and no internal details in either."""

from __future__ import annotations

import gzip
import html
import re
from typing import Any

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from werkzeug import exceptions

from queue_tool import errors
from queue_tool.errors import QueueToolError
from queue_tool.model.access import Role
from queue_tool.runtime import Runtime
from queue_tool.web import create_app
from queue_tool.web.http import transport
from queue_tool.web.http.operation import Group
from queue_tool.web.http.problems import STATUSES
from tests import conftest
from tests.conftest import RuntimeFactory
from tests.web.conftest import KeyMaker

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
SECRET = "the inside 4711"


def with_a_bug(runtime: Runtime) -> Flask:
    """Return an application with an operation that raises an unexpected error: `GET /breaks`."""
    group = Group("broken", "An operation with a bug.")

    @group.get("/breaks", Role.OPEN, in_document=False)
    def breaks() -> Response:
        raise RuntimeError(SECRET)

    app = conftest.testing(create_app(runtime))
    group.register(app)
    return app


@pytest.fixture
def broken(runtime: Runtime) -> FlaskClient:
    """A client of an application with a bug."""
    return with_a_bug(runtime).test_client()


CASES = [
    ("GET /nothing/here", 404, "not_found"),
    ("GET /check/" + "0" * 32, 404, "task_not_found"),
    ("GET /batches/" + "0" * 32, 404, "batch_not_found"),
    ("DELETE /api", 405, "method_not_allowed"),
    ("GET /api", 405, "method_not_allowed"),
    ("POST /check/" + "0" * 32, 405, "method_not_allowed"),
    ("POST /api", 415, "unsupported_media_type"),
    ("GET /breaks", 500, "internal_error"),
]


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/problem+json"])
@pytest.mark.parametrize(("request_line", "status", "code"), CASES)
def test_a_program_gets_problem_details(
    broken: FlaskClient, request_line: str, status: int, code: str, accept: str | None
) -> None:
    method, path = request_line.split()
    answer = broken.open(path, method=method, headers={"Accept": accept} if accept else {})
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert answer.json is not None
    assert set(answer.json) >= {"type", "title", "status", "detail", "code", "message"}
    assert (answer.json["status"], answer.json["code"]) == (status, code)
    assert answer.json["type"] == f"/docs/errors#{code}"
    assert answer.json["message"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(("request_line", "status", "code"), CASES)
def test_a_browser_gets_a_page(broken: FlaskClient, request_line: str, status: int, code: str) -> None:
    method, path = request_line.split()
    answer = broken.open(path, method=method, headers={"Accept": BROWSER})
    assert answer.status_code == status
    assert answer.mimetype == "text/html"
    assert str(status) in answer.text
    assert "<html" in answer.text
    assert f'href="/docs/errors#{code}"' in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/api", "/tasks", "/check", "/deadletter/retry"])
@pytest.mark.parametrize("encoding", ["gzip", "br, gzip", "Deflate"])
def test_a_compressed_body_is_refused_in_a_sentence_that_names_the_header(
    client: FlaskClient, path: str, encoding: str
) -> None:
    body, headers = gzip.compress(b"[]"), {"Content-Type": "application/json"}
    refused = client.post(path, data=body, headers=headers | {"Content-Encoding": encoding})
    assert refused.json is not None
    assert (refused.status_code, refused.json["code"]) == (415, "unsupported_media_type")
    assert "Content-Encoding" in refused.json["message"]
    plain = client.post(path, data=b"[]", headers=headers | {"Content-Encoding": "identity"})
    assert plain.status_code != 415


@pytest.mark.parametrize("accept", ["*/*", BROWSER])
def test_the_answer_to_an_unexpected_error_has_no_internal_details(broken: FlaskClient, accept: str) -> None:
    answer = broken.get("/breaks", headers={"Accept": accept})
    assert answer.status_code == 500
    for word in (SECRET, "RuntimeError", "Traceback", "test_problems", ".py"):
        assert word not in answer.text


def test_after_an_unexpected_error_the_next_request_is_served(broken: FlaskClient) -> None:
    assert broken.get("/breaks").status_code == 500
    assert broken.post("/api", json=[{"item": "a", "valor": 1}]).status_code == 200


@pytest.mark.parametrize(
    ("path", "allowed"), [("/api", {"POST", "OPTIONS"}), ("/health/live", {"GET", "HEAD", "OPTIONS"})]
)
def test_the_answer_to_a_wrong_method_lists_the_allowed_ones(client: FlaskClient, path: str, allowed: set[str]) -> None:
    answer = client.patch(path)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize("path", ["/<script>alert(1)</script>", "/%3Cscript%3Ealert(1)%3C/script%3E"])
def test_an_error_page_contains_no_unescaped_input(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers={"Accept": BROWSER})
    assert answer.status_code == 404
    assert "<script" not in answer.text


@pytest.mark.parametrize("accept", ["", "*/*", BROWSER, "image/png", ";;;", "text/html;q=0, */*;q=0"])
def test_the_status_is_the_same_for_any_accept_header(client: FlaskClient, accept: str) -> None:
    assert client.get("/nothing", headers={"Accept": accept}).status_code == 404


FAILING: list[tuple[int, dict[str, Any]]] = [
    (404, {"path": "/nothing"}),
    (405, {"path": "/api", "method": "PATCH"}),
    (413, {"path": "/api", "method": "POST", "json": ["x" * 2000]}),
    (400, {"path": "/api", "method": "POST", "json": {}}),
    (416, {"path": "/static/style.css", "headers": {"Range": "bytes=1000000-"}}),
    (408, {"path": "/api", "method": "POST", "environ_overrides": {transport.REFUSAL: errors.BodyTooSlow()}}),
    (500, {"path": "/nothing", "environ_overrides": {transport.REFUSAL: QueueToolError()}}),
    (500, {"path": "/nothing", "environ_overrides": {transport.REFUSAL: errors.NaiveTime(SECRET)}}),
    (400, {"path": "/nothing", "environ_overrides": {transport.REFUSAL: exceptions.ImATeapot()}}),
    (400, {"path": "/nothing", "environ_overrides": {transport.REFUSAL: exceptions.ClientDisconnected()}}),
    (500, {"path": "/nothing", "environ_overrides": {transport.REFUSAL: exceptions.BadGateway()}}),
]
"""Requests that fail, each in its own way. What the server gives as its refusal is raised as it is."""


def test_the_type_of_a_problem_leads_to_its_entry_and_fixes_title_and_status(make_runtime: RuntimeFactory) -> None:
    client = conftest.application(make_runtime(REDIS_URL="inline:", MAX_BODY="1000")).test_client()
    ids = re.findall(r' id="(\w+)"', client.get("/docs/errors").text)
    assert len(ids) == len(set(ids))
    assert set(ids) - {"main"} == {*STATUSES, QueueToolError.code}
    entries: dict[str, tuple[object, object]] = {}
    for status, request in FAILING:
        with client.open(**request, buffered=True) as answer:
            found = answer.json
        assert isinstance(found, dict)
        assert answer.status_code == found["status"] == status, request
        page, _, code = found["type"].partition("#")
        assert (page, code) == ("/docs/errors", found["code"])
        assert code in ids
        assert entries.setdefault(code, (found["title"], found["status"])) == (found["title"], found["status"])
        assert SECRET not in str(found)
    assert len(entries) == 9


def test_the_answer_to_a_wrong_range_names_the_size(client: FlaskClient) -> None:
    with client.get("/static/style.css") as whole:
        size = len(whole.data)
    answer = client.get("/static/style.css", headers={"Range": f"bytes={size}-"})
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{size}")


def test_the_page_about_errors_is_open_and_says_of_each_code_what_the_tree_says(
    client: FlaskClient, bearer: KeyMaker
) -> None:
    bearer("read")  # from now on every route that is not open needs a key
    answer = client.get("/docs/errors", headers={"Accept-Language": "pt"})
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert '<html lang="en">' in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r"<script| style=| on\w+=", answer.text)
    assert all(re.match(r"/(?!/)|#", link) for link in re.findall(r'(?:src|href)="([^"]*)"', answer.text))
    for code in (*STATUSES, QueueToolError.code):
        (entry,) = re.findall(rf'<section class="entry" id="{code}">(.*?)</section>', answer.text, re.DOTALL)
        said = [html.unescape(re.sub(r"<[^>]*>", "", text)) for text in re.findall(r"<dd>(.*?)</dd>", entry)]
        kind = errors.BY_CODE[code]
        assert said == [text.replace("`", "") for text in (kind.default_sentence(), kind.cause, kind.remedy)]
