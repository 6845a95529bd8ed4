"""Sessions: log in with an API key, what the cookie permits, and when it ends."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from queue_tool.host import secret_key
from queue_tool.runtime import Runtime
from queue_tool.web.http.sessions import COOKIE, LASTS
from tests.conftest import RuntimeFactory, application
from tests.web.conftest import KeyMaker
from tests.web.test_problems import BROWSER

HOST = "http://localhost"
OURS = {"Origin": HOST}


def log_in(client: FlaskClient, headers: dict[str, str], to: str = "", **more: str) -> Any:
    """Log in with the key in these headers, as the form does."""
    key = headers["Authorization"].removeprefix("Bearer ")
    return client.post("/login", data={"key": key, "next": to}, headers=OURS | more)


def test_a_key_opens_the_pages_until_it_is_revoked(client: FlaskClient, runtime: Runtime, bearer: KeyMaker) -> None:
    key = bearer("submit")
    asked = client.get("/dashboard/tasks?q=a", headers={"Accept": BROWSER})
    assert (asked.status_code, asked.mimetype) == (401, "text/html")
    assert 'name="next" value="/dashboard/tasks?q=a"' in asked.text
    answer = log_in(client, key, "/dashboard/tasks?q=a")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/dashboard/tasks?q=a")
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/", f"Max-Age={LASTS}"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert key["Authorization"].removeprefix("Bearer ") not in cookie
    assert client.get("/dashboard/tasks").status_code == 200
    assert client.get("/tasks").status_code == 200  # the API may be read too
    (found,) = runtime.store.keys.all()
    runtime.store.keys.revoke(found.id, runtime.clock.now())
    assert client.get("/dashboard/tasks").status_code == 401
    assert log_in(client, key).status_code == 400


def test_a_change_with_a_session_must_say_that_it_comes_from_our_own_page(
    client: FlaskClient, bearer: KeyMaker
) -> None:
    log_in(client, bearer("submit"))
    for headers, status in [
        ({}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        (OURS, 200),
    ]:
        assert client.post("/api", json=[], headers=headers).status_code == status, headers


def test_a_session_has_the_role_of_its_key(client: FlaskClient, bearer: KeyMaker) -> None:
    log_in(client, bearer("read"))
    assert client.post("/api", json=[{"item": "a", "valor": 1}], headers=OURS | bearer("admin")).status_code == 200
    for path in (
        "/",
        "/dashboard",
        "/dashboard/tasks",
        "/dashboard/batches",
        "/dashboard/deadletters",
        "/dashboard/queues",
    ):
        page = client.get(path)
        assert page.status_code == 200
        assert set(_actions(page.text)) <= {"/theme", "/logout", "/dashboard/tasks", "/dashboard/batches"}
        assert '<button name="action"' not in page.text
        if path != "/dashboard/batches":
            assert client.post(path, data={"action": "cancel"}, headers=OURS).status_code == 403


def _actions(text: str) -> list[str]:
    return [part.partition('"')[0] for part in text.split('action="/')[1:] for part in [f"/{part}"]]


@pytest.mark.parametrize("name", ["Origin", "X-Forwarded-Proto"])
def test_behind_tls_the_cookie_is_secure(client: FlaskClient, bearer: KeyMaker, name: str) -> None:
    value = {"Origin": "https://localhost", "X-Forwarded-Proto": "https"}[name]
    assert "Secure" in log_in(client, bearer("read"), **{name: value}).headers["Set-Cookie"].split("; ")


def test_a_wrong_key_or_a_form_of_another_site_starts_no_session(client: FlaskClient, bearer: KeyMaker) -> None:
    key = bearer("read")
    wrong = log_in(client, {"Authorization": "Bearer qt_wrong"}, "/dashboard/tasks")
    assert (wrong.status_code, 'role="alert"' in wrong.text, "Set-Cookie" in wrong.headers) == (400, True, False)
    assert "qt_wrong" not in wrong.text
    assert log_in(client, key, Origin="http://evil.example").status_code == 403
    assert client.get("/dashboard").status_code == 401


def test_log_out_ends_the_session_of_the_browser(client: FlaskClient, bearer: KeyMaker) -> None:
    log_in(client, bearer("read"))
    assert client.get("/dashboard").status_code == 200
    assert client.post("/logout", headers=OURS).headers["Location"] == "/login"
    assert client.get("/dashboard").status_code == 401


@pytest.mark.parametrize("to", ["//evil.example", "http://evil.example", "/\\evil.example", "/\tx", "evil", ""])
def test_a_login_leads_only_to_our_own_pages(client: FlaskClient, bearer: KeyMaker, to: str) -> None:
    assert log_in(client, bearer("read"), to).headers["Location"] == "/dashboard"
    assert client.post("/theme", data={"theme": "dark", "next": to}).headers["Location"] == "/dashboard"
    assert 'data-theme="dark"' in client.get("/dashboard").text


class Late(TimestampSigner):
    """It signed before the longest session began."""

    def get_timestamp(self) -> int:
        """Return the time of the signature."""
        return super().get_timestamp() - LASTS - 60


def test_a_cookie_that_is_old_changed_or_signed_by_others_opens_nothing(
    client: FlaskClient, runtime: Runtime, bearer: KeyMaker
) -> None:
    bearer("admin")
    (key,) = runtime.store.keys.all()
    client.set_cookie(COOKIE, "x")
    assert client.get("/dashboard").status_code == 401
    path = runtime.settings.data_dir / secret_key.NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    hashed = {"digest_method": hashlib.sha256}
    good = URLSafeTimedSerializer(path.read_text(), salt=COOKIE, signer_kwargs=hashed)
    old = URLSafeTimedSerializer(path.read_text(), salt=COOKIE, signer=Late, signer_kwargs=hashed)
    other = URLSafeTimedSerializer("x" * 64, salt=COOKIE, signer_kwargs=hashed)
    text = str(good.dumps(key.id))
    bad: list[Any] = [
        old.dumps(key.id),
        other.dumps(key.id),
        f"x{text}",
        good.dumps(1),
        "",
        ".",
    ]
    for cookie, status in [(text, 200), *((each, 401) for each in bad)]:
        client.set_cookie(COOKIE, cookie)
        assert client.get("/dashboard").status_code == status, cookie


def test_with_a_secret_of_the_operator_none_is_made(make_runtime: RuntimeFactory) -> None:
    first = make_runtime(SECRET_KEY="s" * 32)
    assert "s" * 32 not in repr(first.settings)
    client = application(first).test_client()
    client.set_cookie(COOKIE, "x")
    assert client.get("/dashboard").status_code == 200
    assert not (first.settings.data_dir / secret_key.NAME).exists()


def test_all_processes_that_make_the_secret_at_once_get_the_same_one(tmp_path: Path, threads: Any) -> None:
    found = set(threads.map(secret_key.read_or_make, [tmp_path] * 40))
    assert len(found) == 1
    assert len(found.pop()) == 2 * secret_key.BYTES
    assert [path.name for path in tmp_path.iterdir()] == [secret_key.NAME]
