"""Access: the role of every route, requests from this machine, and wrong, revoked and secret keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from queue_tool.model.access import KEY_ROLES, Role
from queue_tool.runtime import Runtime
from queue_tool.web import create_app
from queue_tool.web.http import admission
from queue_tool.web.http.admission import role_needed
from tests.conftest import News, RuntimeFactory
from tests.web.conftest import KeyMaker

ROLES: dict[tuple[str, str], Role] = {
    ("GET", "/"): Role.READ,
    ("POST", "/"): Role.SUBMIT,
    ("POST", "/api"): Role.SUBMIT,
    ("GET", "/check/<path:token>"): Role.OPEN,
    ("POST", "/check"): Role.READ,
    ("POST", "/tasks"): Role.SUBMIT,
    ("GET", "/tasks"): Role.READ,
    ("GET", "/tasks/<path:token>"): Role.READ,
    ("GET", "/tasks/<token>/status"): Role.READ,
    ("POST", "/tasks/<token>/cancel"): Role.SUBMIT,
    ("POST", "/tasks/<token>/retry"): Role.SUBMIT,
    ("POST", "/tasks/cancel"): Role.SUBMIT,  # by tokens; a filter is for admins
    ("POST", "/tasks/retry"): Role.SUBMIT,
    ("GET", "/results"): Role.READ,
    ("GET", "/results/<token>"): Role.READ,
    ("GET", "/queue"): Role.READ,
    ("POST", "/queue/<name>/pause"): Role.ADMIN,
    ("POST", "/queue/<name>/resume"): Role.ADMIN,
    ("GET", "/schedules"): Role.READ,
    ("POST", "/schedules"): Role.ADMIN,
    ("GET", "/schedules/<schedule>"): Role.READ,
    ("PUT", "/schedules/<schedule>"): Role.ADMIN,
    ("DELETE", "/schedules/<schedule>"): Role.ADMIN,
    ("POST", "/schedules/<schedule>/pause"): Role.ADMIN,
    ("POST", "/schedules/<schedule>/resume"): Role.ADMIN,
    ("POST", "/schedules/<schedule>/run"): Role.ADMIN,
    ("GET", "/schedules/<schedule>/ticks"): Role.READ,
    ("GET", "/batches"): Role.READ,
    ("GET", "/batches/<batch>"): Role.READ,
    ("POST", "/batches"): Role.SUBMIT,
    ("POST", "/batches/<batch>/elements"): Role.SUBMIT,
    ("GET", "/batches/<batch>/elements"): Role.READ,
    ("POST", "/batches/<batch>/seal"): Role.SUBMIT,
    ("GET", "/batches/<batch>/results"): Role.READ,
    ("POST", "/batches/<batch>/cancel"): Role.SUBMIT,
    ("POST", "/batches/<batch>/retry"): Role.SUBMIT,
    ("GET", "/deadletter"): Role.READ,
    ("POST", "/deadletter/<token>/retry"): Role.SUBMIT,
    ("POST", "/deadletter/retry"): Role.ADMIN,
    ("DELETE", "/deadletter"): Role.ADMIN,
    ("GET", "/api/queue"): Role.READ,
    ("GET", "/api/queue/count"): Role.READ,
    ("GET", "/api/queue/all"): Role.READ,
    ("POST", "/api/queue/push"): Role.SUBMIT,
    ("POST", "/api/queue/pop"): Role.SUBMIT,
    ("POST", "/api/queue/ack"): Role.SUBMIT,
    ("POST", "/api/queue/nack"): Role.SUBMIT,
    ("DELETE", "/api/queue/all"): Role.ADMIN,
    ("GET", "/events"): Role.READ,
    ("POST", "/webhooks"): Role.ADMIN,
    ("GET", "/webhooks"): Role.READ,
    ("GET", "/webhooks/secret"): Role.ADMIN,
    ("GET", "/webhooks/<webhook>"): Role.READ,
    ("DELETE", "/webhooks/<webhook>"): Role.ADMIN,
    ("POST", "/webhooks/<webhook>/rotate"): Role.ADMIN,
    ("POST", "/webhooks/<webhook>/enable"): Role.ADMIN,
    ("POST", "/webhooks/<webhook>/test"): Role.ADMIN,
    ("GET", "/webhooks/<webhook>/deliveries"): Role.READ,
    ("POST", "/webhooks/<webhook>/redeliver"): Role.ADMIN,
    ("GET", "/task-types"): Role.READ,
    ("GET", "/workers"): Role.READ,
    ("PUT", "/workers"): Role.ADMIN,
    ("POST", "/workers/add"): Role.ADMIN,
    ("POST", "/workers/remove"): Role.ADMIN,
    ("GET", "/metrics"): Role.READ,
    ("GET", "/openapi.json"): Role.READ,
    ("POST", "/task"): Role.SUBMIT,
    ("POST", "/enqueue"): Role.SUBMIT,
    ("GET", "/check_status"): Role.READ,
    ("GET", "/get_result"): Role.READ,
    ("GET", "/tasks/<token>/details"): Role.READ,
    ("GET", "/tasks/search"): Role.READ,
    ("GET", "/health/live"): Role.OPEN,
    ("GET", "/health/ready"): Role.OPEN,
    ("GET", "/docs/errors"): Role.OPEN,
    ("GET", "/docs"): Role.OPEN,
    ("GET", "/docs/assets/<name>"): Role.OPEN,
    ("GET", "/dashboard"): Role.READ,
    ("POST", "/dashboard"): Role.ADMIN,
    ("GET", "/dashboard/tasks"): Role.READ,
    ("POST", "/dashboard/tasks"): Role.SUBMIT,  # to delete, and all that match a filter, is for admins
    ("GET", "/dashboard/tasks/<token>"): Role.READ,
    ("POST", "/dashboard/tasks/<token>"): Role.SUBMIT,
    ("GET", "/dashboard/batches"): Role.READ,
    ("GET", "/dashboard/batches/<batch>"): Role.READ,
    ("POST", "/dashboard/batches/<batch>"): Role.SUBMIT,
    ("GET", "/dashboard/batches/<batch>/results"): Role.READ,
    ("GET", "/dashboard/deadletters"): Role.READ,
    ("POST", "/dashboard/deadletters"): Role.ADMIN,
    ("GET", "/dashboard/schedules"): Role.READ,
    ("GET", "/dashboard/schedules/new"): Role.ADMIN,
    ("POST", "/dashboard/schedules/new"): Role.ADMIN,
    ("GET", "/dashboard/schedules/<schedule>"): Role.READ,
    ("POST", "/dashboard/schedules/<schedule>"): Role.ADMIN,
    ("GET", "/dashboard/schedules/<schedule>/edit"): Role.ADMIN,
    ("POST", "/dashboard/schedules/<schedule>/edit"): Role.ADMIN,
    ("GET", "/dashboard/webhooks"): Role.READ,
    ("GET", "/dashboard/webhooks/new"): Role.ADMIN,
    ("POST", "/dashboard/webhooks/new"): Role.ADMIN,
    ("GET", "/dashboard/webhooks/<webhook>"): Role.READ,
    ("POST", "/dashboard/webhooks/<webhook>"): Role.ADMIN,
    ("GET", "/dashboard/queues"): Role.READ,
    ("POST", "/dashboard/queues"): Role.ADMIN,
    ("GET", "/dashboard/workers"): Role.READ,
    ("POST", "/dashboard/workers"): Role.ADMIN,
    ("GET", "/dashboard/keys"): Role.ADMIN,
    ("POST", "/dashboard/keys"): Role.ADMIN,
    ("GET", "/dashboard/suggestions/<name>"): Role.READ,
    ("GET", "/login"): Role.OPEN,
    ("POST", "/login"): Role.OPEN,
    ("POST", "/logout"): Role.OPEN,
    ("POST", "/theme"): Role.OPEN,
    ("GET", "/static/<path:filename>"): Role.OPEN,
}
"""The role that each route needs. Whoever adds a route adds it here too."""

FOREIGN = {"REMOTE_ADDR": "203.0.113.9"}
REFUSED = (401, 403)


def is_form(method: str, rule: str) -> bool:
    """Return whether a route takes the form of a page. It checks the site of that page."""
    return method == "POST" and (rule in ("/", "/login", "/logout", "/theme") or rule.startswith("/dashboard"))


def routes(app: Flask) -> list[tuple[str, str, str]]:
    """Return method, rule and endpoint of every route."""
    return [
        (method, rule.rule, rule.endpoint)
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def path_of(rule: str) -> str:
    for name, text in {
        "token": "0" * 32,
        "path:token": "0" * 32,
        "batch": "0" * 32,
        "webhook": "0" * 32,
        "schedule": "0" * 32,
        "name": "low",
    }.items():
        rule = rule.replace(f"<{name}>", text)
    return rule.replace("<path:filename>", "style.css").replace("/events", "/events?seconds=0")


def ask(client: FlaskClient, method: str, rule: str, headers: dict[str, str] | None = None, **signs: str) -> Any:
    return client.open(path_of(rule), method=method, headers=headers, environ_overrides=signs, buffered=True)


# -- roles -------------------------------------------------------------------------------------------------


def test_every_route_needs_the_role_in_this_table(app: Flask) -> None:
    assert {(method, rule): role_needed(endpoint) for method, rule, endpoint in routes(app)} == ROLES


@pytest.mark.parametrize("caller", ["none", "wrong", "read", "submit", "admin"])
@pytest.mark.parametrize("signs", [{}, FOREIGN], ids=["local", "foreign"])
def test_when_keys_exist_each_caller_reaches_only_what_its_role_allows(
    app: Flask, client: FlaskClient, bearer: KeyMaker, caller: str, signs: dict[str, str]
) -> None:
    keys = {role: bearer(role) for role in KEY_ROLES}
    reaches = KEY_ROLES.get(caller, Role.OPEN)
    headers = keys.get(caller) or ({"Authorization": "Bearer qt_wrong"} if caller == "wrong" else {})
    expected = {
        (method, rule): None if role_needed(endpoint) in range(reaches + 1) else 403 if caller in keys else 401
        for method, rule, endpoint in routes(app)
    }
    statuses = {
        (method, rule): ask(client, method, rule, headers, **signs).status_code for method, rule, _ in routes(app)
    }
    assert {route: status if status in REFUSED else None for route, status in statuses.items()} == expected
    del statuses[("GET", "/health/ready")]  # 503: no worker runs here
    assert max(statuses.values()) < 500


def test_a_route_without_a_declared_role_is_always_refused(runtime: Runtime, bearer: KeyMaker) -> None:
    app = create_app(runtime)
    app.add_url_rule("/forgotten", "forgotten", lambda: "open to all")
    answer = app.test_client().get("/forgotten", headers=bearer("admin"))
    assert (answer.status_code, "open to all" in answer.text) == (403, False)


@pytest.mark.parametrize(
    "words",
    ["Bearer", "Bearer ", "Bearer qt_wrong", "bearer QT_SECRET_OF_ADMIN", "Bearer qt_secret_of_admin x", "Bearer é"],
)
def test_an_invalid_key_is_401_and_the_answer_names_the_scheme(
    client: FlaskClient, bearer: KeyMaker, words: str
) -> None:
    bearer("admin")
    answer = client.get("/", headers={"Authorization": words})
    assert answer.json is not None
    assert (answer.status_code, answer.json["code"]) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_wrong_key_is_refused_on_this_machine_too(client: FlaskClient) -> None:
    assert client.get("/").status_code == 200
    assert client.get("/", headers={"Authorization": "Bearer qt_wrong"}).status_code == 401


def test_a_key_with_too_small_a_role_is_403_and_the_answer_names_the_role(
    client: FlaskClient, bearer: KeyMaker
) -> None:
    answer = client.post("/api", json=[], headers=bearer("read"))
    assert answer.json is not None
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    assert "submit" in answer.json["message"]


def test_a_revoked_key_is_401_at_once(client: FlaskClient, runtime: Runtime, bearer: KeyMaker) -> None:
    admin, read = bearer("admin"), bearer("read")
    assert client.get("/", headers=read).status_code == 200
    (found,) = [key for key in runtime.store.keys.all() if key.name == "read"]
    runtime.store.keys.revoke(found.id, runtime.clock.now())
    assert client.get("/", headers=read).status_code == 401
    assert client.get("/", headers=admin).status_code == 200


# -- this machine, without keys ----------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "localhost:5000", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:5000"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"])
def test_without_keys_this_machine_is_served(client: FlaskClient, host: str, peer: str) -> None:
    answer = client.post("/api", json=[], headers={"Host": host}, environ_base={"REMOTE_ADDR": peer})
    assert answer.status_code == 200


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_without_keys_a_same_origin_or_direct_request_is_served(client: FlaskClient, site: str) -> None:
    assert client.get("/", headers={"Sec-Fetch-Site": site}).status_code == 200


SIGNS: list[tuple[dict[str, str], dict[str, str]]] = [
    *(({}, {"REMOTE_ADDR": peer}) for peer in ("203.0.113.9", "10.0.0.1", "::ffff:10.0.0.1", "fe80::1", "", "unix")),
    *(
        ({"Host": host}, {})
        for host in (
            "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "0.0.0.1", "[::]",
            "127.9.9.9", "localhost.", "[::ffff:7f00:1]:5000", "",
        )
    ),
    *(
        ({name: "127.0.0.1"}, {})
        for name in (
            "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port",
            "X-Forwarded-Prefix", "X-Forwarded-Anything", "X-Real-IP", "Via", "x-forwarded-for", "VIA", "X-Forwarded",
            "X-Client-IP", "True-Client-IP", "CF-Connecting-IP", "X-Envoy-External-Address",
        )
    ),
    *(({"Sec-Fetch-Site": site}, {}) for site in ("cross-site", "same-site", "", "anything")),
    *(({"Origin": origin}, {}) for origin in ("http://evil.example", "null", "http://localhost:81", "")),
    *(({}, {"SERVER_PROTOCOL": protocol}) for protocol in ("HTTP/1.0", "HTTP/0.9")),
    *(({}, {"REMOTE_PORT": port}) for port in ("1", "", "x")),  # no such connection is there
]  # fmt: skip


@pytest.mark.parametrize(("headers", "signs"), SIGNS, ids=lambda value: repr(value) if value else "-")
def test_without_keys_any_sign_of_a_remote_caller_is_401_on_every_guarded_route(
    app: Flask, client: FlaskClient, headers: dict[str, str], signs: dict[str, str]
) -> None:
    guarded = [(method, rule) for (method, rule), role in ROLES.items() if role > Role.OPEN]
    assert len(guarded) >= 5
    for method, rule in guarded:
        answer = ask(client, method, rule, headers, **signs)
        assert answer.status_code == 401, (method, rule)
        assert re.fullmatch(
            r"Without an API key, only your own programs on this machine are served, and .+: "
            r"create a key with `queue-tool keys create` and send it as `Authorization: Bearer <key>`\.",
            answer.json["message"],
        )
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_with_a_valid_key_a_remote_caller_is_served(client: FlaskClient, bearer: KeyMaker) -> None:
    key = bearer("submit")
    for headers, signs in SIGNS:
        answer = client.post("/api", json=[], headers=headers | key, environ_overrides=signs)
        assert answer.status_code == 200, (headers, signs)


def test_when_a_key_exists_this_machine_needs_one_too(client: FlaskClient, bearer: KeyMaker) -> None:
    assert client.get("/").status_code == 200
    bearer("read")
    assert client.get("/").status_code == 401


@pytest.mark.parametrize("keys_exist", [True, False])
def test_open_routes_stay_open_to_everyone(
    client: FlaskClient, bearer: KeyMaker, runtime: Runtime, keys_exist: bool
) -> None:
    answer = client.post("/api", json=[{"item": "a", "valor": 1}])
    assert answer.json is not None
    token = answer.json["processing_items"][0]["hash"]
    runtime.owner.id()
    if keys_exist:
        bearer("admin")
    for path in (f"/check/{token}", "/health/live", "/health/ready", "/static/style.css", "/static/icon.svg"):
        for headers in ({}, {"Authorization": "Bearer qt_wrong", "Host": "evil.example", "Via": "x"}):
            with client.get(path, headers=headers, environ_overrides=FOREIGN) as found:
                assert found.status_code == 200, path


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/app.py", "/static//etc/passwd"]
)
def test_static_files_come_only_from_their_folder(client: FlaskClient, path: str) -> None:
    assert client.get(path, follow_redirects=True).status_code == 404


# -- bodies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_any_page_could_send_changes_nothing(
    client: FlaskClient, runtime: Runtime, bearer: KeyMaker, content_type: str, chunked: bool
) -> None:
    key = bearer("admin")
    headers = key | {"Content-Type": content_type} | ({"Transfer-Encoding": "chunked"} if chunked else {})
    for method, rule in ROLES:
        if method == "GET":
            continue
        path = path_of(rule) + ("?older_than=0" if method == "DELETE" else "")
        takes_it = rule == "/enqueue" or (is_form(method, rule) and content_type in admission.FORM)
        checks_site = takes_it  # it takes such a body from any program, but from no page of another site
        page = {"Origin": "http://evil.example"} if checks_site else {}
        answer = client.open(path, method=method, data=b"{}", headers=headers | page)
        assert answer.status_code == (403 if checks_site else 415), (method, rule)
    assert not any(queue["paused"] for queue in ask(client, "GET", "/queue", key).json["queues"])
    assert client.get("/tasks", headers=key).json["total"] == 0  # type: ignore[index] # a page
    assert client.post("/", data=b"[]", headers=key | {"Content-Type": "text/plain"}).status_code == 415


# -- off ---------------------------------------------------------------------------------------------------


def test_with_auth_off_everyone_is_served(make_runtime: RuntimeFactory) -> None:
    app = create_app(make_runtime(AUTH="off"))
    client = app.test_client()
    for method, rule, _ in routes(app):
        with ask(client, method, rule, {"Host": "evil.example", "Via": "1.1 x"}, **FOREIGN) as answer:
            assert answer.status_code not in REFUSED, (method, rule)


def test_with_auth_off_pages_of_other_sites_stay_out_of_loopback_addresses(make_runtime: RuntimeFactory) -> None:
    client = create_app(make_runtime(AUTH="off")).test_client()
    pages: list[dict[str, str]] = [
        {"Host": "evil.example"},
        {"Host": "[::ffff:7f00:1]:5000", "Origin": "http://[::ffff:7f00:1]:5000"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ]
    for (method, rule), role in ROLES.items():
        for headers in pages:
            answer = ask(client, method, rule, headers)
            refused = role > Role.OPEN or (is_form(method, rule) and "Host" not in headers)
            assert (answer.status_code == 403) == refused, (method, rule, headers)
        with ask(client, method, rule, {"Origin": "http://localhost", "Via": "1.1 gate"}) as answer:
            assert answer.status_code not in REFUSED, (method, rule)
    assert ask(client, "GET", "/tasks", pages[0]).json["message"].startswith("Also with QUEUE_TOOL_AUTH=off")
    assert client.post("/queue/low/pause", headers=pages[2], environ_overrides=FOREIGN).status_code == 403


def test_with_auth_off_a_wrong_key_is_ignored(make_runtime: RuntimeFactory) -> None:
    client = create_app(make_runtime(AUTH="off")).test_client()
    assert client.get("/", headers={"Authorization": "Bearer qt_wrong"}).status_code == 200


# -- secrets -----------------------------------------------------------------------------------------------


@pytest.mark.sqlite
def test_a_key_is_never_logged_and_never_stored(
    client: FlaskClient, bearer: KeyMaker, news: News, tmp_path: Path
) -> None:
    headers = bearer("admin")
    secret = headers["Authorization"].removeprefix("Bearer ")
    wrong = {"Authorization": "Bearer qt_a_wrong_one"}
    for words in (headers, wrong):
        client.post("/api", json=[{"item": "a", "valor": 1}], headers=words | {"Idempotency-Key": "k"})
        client.get("/", headers=words)
        client.get("/nothing", headers=words)
    assert len(news.heard) >= 6
    kept = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert b"sleep" in kept
    for text in (secret, "qt_a_wrong_one"):
        assert text not in repr(news.heard)
        assert text.encode() not in kept
