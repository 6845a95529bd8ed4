"""What each answer has, on both servers: an id, an ETag, the methods of its path; and HEAD without a body."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from queue_tool.runtime import Runtime
from tests.support import Answer, System, eventually, http, tokens
from tests.web.flask_server import flask_server

pytestmark = pytest.mark.sqlite  # the database plays no part here, so once is enough

MINE = {"X-Request-Id": "My_own-id.1"}


def headers(answer: Answer) -> dict[str, str]:
    """Return the headers without those of the server and of the moment, the names in lower case."""
    found = {name.lower(): value for name, value in answer.headers.items()}
    return {name: value for name, value in found.items() if name not in ("date", "server", "connection")}


def check_answers(url: Callable[[str], str], token: str, batch: str) -> None:
    check, results = url(f"/check/{token}"), url(f"/batches/{batch}/results")
    first = http("GET", check, headers=MINE)
    flask = http("GET", check, headers=MINE | {"Prefer": "handling=lenient"})
    assert (first.status, first.body, headers(first)) == (200, flask.body, headers(flask))
    assert (headers(first)["x-request-id"], headers(first)["cache-control"]) == ("My_own-id.1", "no-store")
    assert headers(first)["content-length"] == str(len(first.body))
    for path in (check, url(f"/tasks/{token}"), url("/nothing")):
        get, head = http("GET", path, headers=MINE), http("HEAD", path, headers=MINE)
        assert (head.status, head.body, headers(head)) == (get.status, b"", headers(get))
    head = http("HEAD", results)
    assert (head.status, head.body, "content-length" in headers(head)) == (200, b"", False)
    assert len({headers(http("GET", path))["x-request-id"] for path in (check, check, results, url("/nothing"))}) == 4
    tag = headers(first)["etag"]
    same = http("GET", check, headers=MINE | {"If-None-Match": tag})
    assert (same.status, same.body) == (304, b"")
    kept = ("etag", "vary", "cache-control", "x-content-type-options", "x-request-id")
    assert headers(same) == {name: headers(first)[name] for name in kept}
    assert http("GET", check, headers={"If-None-Match": f'{tag}, "{"x" * 255}"'}).status == 200  # it is too long
    options = http("OPTIONS", url("/tasks"))
    assert (options.status, options.body, headers(options)["allow"]) == (204, b"", "GET, HEAD, OPTIONS, POST")
    assert not {"content-length", "content-type", "transfer-encoding"} & set(headers(options))


def test_answers_of_up(lasting_system: System) -> None:
    system = lasting_system
    sent = http("POST", system.url("/api"), [{"item": "a", "valor": 0}], {"X-Request-Id": "the-first"})
    (token,) = tokens(sent)
    system.await_status(token, "finished")
    check_answers(system.url, token, sent.json["batch"])
    accepted, request = eventually(lambda: _two([line for line in system.log.splitlines() if "the-first" in line]))
    assert f" batch accepted batch={sent.json['batch']} accepted=1 rejected=0 request_id=the-first" in accepted
    assert " request method=POST path=/api status=200 " in request
    assert request.endswith(" request_id=the-first")


def test_answers_of_flask_run(inline: Runtime) -> None:
    with flask_server(inline) as (port, _):
        sent = http("POST", f"http://127.0.0.1:{port}/api", [{"item": "a", "valor": 0}])
        (token,) = tokens(sent)
        check_answers(lambda path: f"http://127.0.0.1:{port}{path}", token, sent.json["batch"])


def _two(lines: list[str]) -> list[str]:
    assert len(lines) == 2
    return lines
