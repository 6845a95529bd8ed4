"""Errors: an HTML page for a browser, problem details for other clients, and no internal details in either."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from queue_tool.model.access import Role
from queue_tool.runtime import Runtime
from queue_tool.web import create_app
from queue_tool.web.http.admission import needs
from tests import conftest

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
SECRET = "the inside 4711"


@pytest.fixture
def broken(runtime: Runtime) -> FlaskClient:
    """A client of an application with a route that raises an unexpected error."""

    @needs(Role.OPEN)
    def breaks() -> Any:
        raise RuntimeError(SECRET)

    app = conftest.testing(create_app(runtime))
    app.add_url_rule("/breaks", "breaks", breaks)
    return app.test_client()


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
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


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
