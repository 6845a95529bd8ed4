"""The home page: counts, a form that sends a batch, four languages, no content from other sites."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from queue_tool.web import create_app
from queue_tool.web.http.languages import LANGUAGES
from queue_tool.web.pages.home import MOST_ROWS
from tests.conftest import RuntimeFactory
from tests.web.conftest import KeyMaker
from tests.web.site import ON_BOTH, UNKNOWN, Site

GOOD = {"item": "a", "valor": 0}
COUNT = re.compile(r"<dd>(\d+)</dd>")


def send(client: FlaskClient, text: str, **headers: str) -> Any:
    """Send the form and go where the answer leads, as a browser does."""
    return client.post("/", data={"items": text}, headers=headers, follow_redirects=True)


def counts(client: FlaskClient) -> list[int]:
    """Return the page's counts: batches, then queued, running, ended and refused tasks."""
    return [int(number) for number in COUNT.findall(client.get("/").text)]


def test_the_page_counts_queued_and_refused_tasks(client: FlaskClient) -> None:
    assert counts(client) == [0, 0, 0, 0, 0]
    client.post("/api", json=[GOOD, GOOD, 1])
    assert counts(client) == [1, 2, 0, 0, 1]


def test_the_page_counts_ended_tasks(inline_client: FlaskClient) -> None:
    inline_client.post("/api", json=[GOOD, GOOD, 1])
    inline_client.post("/api", json=[None])
    assert counts(inline_client) == [2, 0, 0, 2, 2]


@ON_BOTH
def test_the_page_counts_a_task_without_a_batch_like_any_other(site: Site) -> None:
    running, failed = site.send(), site.send(task_type="fails")
    site.claim(running)
    assert counts(site.client) == [0, 1, 1, 0, 0]
    site.send(delay=60)
    site.work(failed)
    assert counts(site.client) == [0, 1, 1, 1, 0]
    _, (_, waiting) = site.batch({}, {})
    site.batch({"data": 1, "task_type": "none such"}, {})
    assert counts(site.client) == [2, 4, 1, 1, 1]
    site.post_json(f"/tasks/{waiting}/cancel")
    site.post_json(f"/tasks/{failed}/retry")
    site.post_json(f"/tasks/{running}/cancel")
    assert counts(site.client) == [2, 4, 0, 2, 1]
    site.runtime.store.control.remove([running, waiting])
    assert counts(site.client) == [2, 4, 0, 1, 1]  # the batch of the second one has not ended, so it stays


def test_the_form_shows_a_token_for_each_good_item_and_the_reasons_for_each_bad_one(client: FlaskClient) -> None:
    answer = send(client, json.dumps([{"item": "first", "valor": 1}, {"item": "second", "valor": "x"}, 7]))
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    (token,) = set(re.findall(r'href="/check/([0-9a-f]{32})"', answer.text))
    assert client.get(f"/check/{token}").status_code == 200
    (batch,) = re.findall(r'href="(/batches/[0-9a-f]{32})"', answer.text)
    found = client.get(batch).json
    assert found is not None
    assert (found["accepted"], found["rejected"]) == (1, 2)
    assert "first" in answer.text
    assert "second" in answer.text
    assert "/valor" in answer.text


def test_the_form_answers_with_the_way_to_a_page_that_can_be_reloaded(client: FlaskClient) -> None:
    answer = client.post("/", data={"items": json.dumps([GOOD, 7])})
    assert answer.status_code == 303
    assert re.fullmatch(r"/\?batch=[0-9a-f]{32}", answer.headers["Location"])
    first, second = (client.get(answer.headers["Location"]).text for _ in range(2))
    assert first == second
    assert counts(client) == [1, 1, 0, 0, 1]


def test_the_page_of_a_batch_shows_its_first_elements_whoever_sent_it(site: Site) -> None:
    batch, accepted = site.batch(*[{}] * MOST_ROWS, 7)
    text = site.get(f"/?batch={batch}").text
    assert re.findall(r'href="/check/([0-9a-f]{32})"', text) == accepted[:MOST_ROWS]
    site.work(accepted[0])
    assert site.get(f"/?batch={batch}").text.count('href="/check/') == MOST_ROWS


@pytest.mark.parametrize(
    ("query", "status"), [("batch=", 404), (f"batch={UNKNOWN}", 404), ("batch=%00", 400), ("bach=1", 400)]
)
def test_the_page_of_a_batch_that_is_unknown_is_a_page_that_says_so(
    client: FlaskClient, query: str, status: int
) -> None:
    answer = client.get(f"/?{query}", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.mimetype) == (status, "text/html")


def test_the_example_in_the_form_can_be_sent_as_it_is(client: FlaskClient) -> None:
    (example,) = re.findall(r"<textarea[^>]*>(.*?)</textarea>", client.get("/").text, re.DOTALL)
    answer = send(client, html.unescape(example))
    assert answer.status_code == 200
    assert 'href="/check/' in answer.text


def test_an_empty_array_is_accepted_and_creates_nothing(client: FlaskClient) -> None:
    assert send(client, "[]").status_code == 200
    assert counts(client) == [0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    "evil",
    ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><b>', "</textarea><script>", "&lt;b&gt;"],
)
@pytest.mark.parametrize(
    "make",
    [
        lambda evil: [{"item": evil, "valor": 1}],
        lambda evil: [{"item": evil, "valor": evil}],
        lambda evil: [{"item": {evil: evil}, "valor": 1}],
        lambda evil: [evil],
        lambda evil: {"no": evil},
    ],
    ids=["accepted", "refused", "object", "text", "no array"],
)
def test_typed_text_is_escaped_as_html(client: FlaskClient, evil: str, make: Any) -> None:
    answer = send(client, json.dumps(make(evil)))
    assert answer.status_code in (200, 400)
    assert evil not in answer.text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not json", "not valid JSON"),
        ("", "not valid JSON"),
        ("[NaN]", "not valid JSON"),
        ("{}", "must be a JSON array"),
        ("null", "must be a JSON array"),
    ],
)
def test_an_invalid_text_stays_in_the_form_with_the_reason(client: FlaskClient, text: str, reason: str) -> None:
    answer = send(client, text)
    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    (shown,) = re.findall(r'role="alert">(.*?)</p>', answer.text)
    assert reason in shown
    assert f"required>{html.escape(text)}</textarea>" in answer.text
    assert counts(client) == [0, 0, 0, 0, 0]


def test_a_form_without_its_field_is_400(client: FlaskClient) -> None:
    assert client.post("/", data={}).status_code == 400


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(("auth", "status"), [("keys", 401), ("off", 403)])
def test_a_form_on_another_site_is_refused_whatever_the_setting(
    make_runtime: RuntimeFactory, site: str, auth: str, status: int
) -> None:
    runtime = make_runtime(AUTH=auth)
    client = create_app(runtime).test_client()
    assert send(client, json.dumps([GOOD]), **{"Sec-Fetch-Site": site}).status_code == status
    assert runtime.store.totals().batches == 0
    assert send(client, json.dumps([GOOD]), **{"Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_a_page_loads_only_our_own_files_and_its_policy_requires_that(client: FlaskClient) -> None:
    for answer in (client.get("/"), send(client, json.dumps([GOOD, 1]))):
        policy = answer.headers["Content-Security-Policy"].split("; ")
        assert "default-src 'none'" in policy
        assert "form-action 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert not any("unsafe" in part or "*" in part or "http" in part for part in policy)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        links = re.findall(r'(?:src|href|action)="([^"]*)"', answer.text)
        assert links
        assert all(re.match(r"/(?!/)", link) for link in links)
        assert "<script" not in answer.text
        assert "style=" not in answer.text


def test_the_files_of_a_page_exist_and_load_nothing_from_other_sites(client: FlaskClient) -> None:
    loaded = re.findall(r'<link[^>]*href="([^"]*)"', client.get("/").text)
    assert loaded
    for path in loaded:
        with client.get(path) as answer:
            assert answer.status_code == 200
            assert not re.search(rb"url\(|@import|href=|src=", answer.data)


@pytest.mark.parametrize(
    ("wish", "language"),
    [
        ("pt", "pt"),
        ("pt-BR,pt;q=0.9,en;q=0.8", "pt"),
        ("tr", "tr"),
        ("tr-TR", "tr"),
        ("ru-RU,ru;q=0.9", "ru"),
        ("en-US", "en"),
        ("de", "en"),
        ("de,ru;q=0.5", "ru"),
        ("", "en"),
        ("*", "en"),
    ],
)
def test_the_page_is_in_the_language_that_the_browser_prefers(client: FlaskClient, wish: str, language: str) -> None:
    answer = client.get("/", headers={"Accept-Language": wish})
    assert f'<html lang="{language}">' in answer.text
    for name in ("what", "batches", "waiting", "refused", "form", "send"):
        assert LANGUAGES[language][name] in answer.text
    assert f'<a href="/docs">{LANGUAGES[language]["docs"]}</a>' in answer.text


@pytest.mark.parametrize("language", ["pt", "tr", "ru"])
def test_every_language_translates_every_text(language: str) -> None:
    assert set(LANGUAGES[language]) == set(LANGUAGES["en"])
    assert all(LANGUAGES[language].values())
    assert LANGUAGES[language]["what"] != LANGUAGES["en"]["what"]


@pytest.mark.parametrize("depth", [900, 980, 1020])
def test_a_deep_item_is_shown_shortened(client: FlaskClient, depth: int) -> None:
    answer = send(client, f'[{{"item": {"[" * depth}{"]" * depth}, "valor": 0}}]')
    assert answer.status_code == 200
    assert "[" * 200 + "…" in answer.text


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://evil.example", 403), ("null", 403), ("http://localhost:81", 403), ("http://localhost", 200)],
)
@pytest.mark.parametrize("with_key", [False, True])
def test_a_form_says_where_it_stands_by_its_origin_too(
    client: FlaskClient, bearer: KeyMaker, origin: str, status: int, with_key: bool
) -> None:
    key = bearer("submit") if with_key else {}
    expected = 401 if status == 403 and not with_key else status
    assert send(client, "[]", Origin=origin, **key).status_code == expected
