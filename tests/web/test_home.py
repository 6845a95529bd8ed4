"""The home page: counts, a form that sends a batch, four languages, no content from other sites."""

from __future__ import annotations

import html
import io
import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from queue_tool.web import create_app
from queue_tool.web.http.languages import words_of
from tests.conftest import RuntimeFactory
from tests.web.conftest import KeyMaker
from tests.web.site import ON_BOTH, Site

GOOD = {"item": "a", "valor": 0}
COUNT = re.compile(r"<dd>(\d+)</dd>")
SCRIPT = ' type="module" src="/static/pages.js"'


def send(client: FlaskClient, text: str, **headers: str) -> Any:
    """Send the form and go where the answer leads, as a browser does."""
    return client.post("/", data={"items": text}, headers=headers, follow_redirects=True)


def counts(client: FlaskClient) -> list[int]:
    """Return the counts of the home page: batches, then queued, running, ended and refused tasks."""
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


def test_the_form_leads_to_a_page_with_a_task_for_each_good_item_and_the_reasons_for_each_bad_one(
    client: FlaskClient,
) -> None:
    answer = send(client, json.dumps([{"item": "first", "valor": 1}, {"item": "second", "valor": "x"}, 7]))
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    (token,) = set(re.findall(r'href="/dashboard/tasks/([0-9a-f]{32})"', answer.text))
    assert client.get(f"/check/{token}").status_code == 200
    found = client.get(answer.request.path.removeprefix("/dashboard")).json
    assert found is not None
    assert (found["accepted"], found["rejected"]) == (1, 2)
    assert "first" in answer.text
    assert "second" in answer.text
    assert "/valor" in answer.text


def test_the_form_answers_with_the_way_to_a_page_that_can_be_reloaded(client: FlaskClient) -> None:
    answer = client.post("/", data={"items": json.dumps([GOOD, 7]), "name": "my <batch>"})
    assert answer.status_code == 303
    assert re.fullmatch(r"/dashboard/batches/[0-9a-f]{32}", answer.headers["Location"])
    assert "my &lt;batch&gt;" in client.get(answer.headers["Location"]).text
    assert counts(client) == [1, 1, 0, 0, 1]


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        (b'[{"item": "a", "valor": 0}, 1]', "", "JSON: 1 of 2"),
        (b'{"item": "a", "valor": 0}\n{"item": "b", "valor": 1}\n', "", "NDJSON: 2 of 2"),
        (b"item;valor\na;1.5\nb;x\n", "", "CSV: 1 of 2"),
        (b"\xef\xbb\xbfitem,valor\na,1\n", "x.csv", "CSV: 1 of 1"),
        (b'{"item": "a", "valor": 0}', "x.jsonl", "NDJSON: 1 of 1"),
    ],
)
def test_a_check_says_what_would_be_sent_and_stores_nothing(
    client: FlaskClient, text: bytes, name: str, found: str
) -> None:
    fields: dict[str, Any] = {"step": "check", "items": text.decode(errors="replace"), "task_type": "sleep"}
    fields |= {"file": (io.BytesIO(text), name)} if name else {}
    answer = client.post("/", data=fields, content_type="multipart/form-data")
    assert answer.status_code == 200
    assert f"Checked as {found} elements can be sent." in answer.text
    assert counts(client) == [0, 0, 0, 0, 0]


def test_a_file_is_sent_as_any_task_type_with_the_fields_that_the_user_has_chosen(site: Site) -> None:
    form = {
        "file": (io.BytesIO("a/b,naïve,other\n[1],x,2\n".encode()), "rows.csv"),
        "task_type": "strict",
        "map.naïve": "-",
        "map.other": "c",
    }
    answer = site.client.post("/", data=form, content_type="multipart/form-data")
    batch = answer.headers["Location"].rpartition("/")[2]
    (task,) = site.get_json(f"/tasks?batch={batch}")["items"]
    assert site.get_json(f"/tasks/{task['token']}")["data"] == {"a/b": [1], "c": "2"}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"items": "[]", "task_type": "none such"}, "no task type"),
        ({"items": "[]", "format": "xml"}, "format must be"),
        ({"items": 'a,b\n"x', "format": "csv"}, "not valid CSV"),
        ({"items": "", "format": "csv"}, "names of the columns"),
        ({"items": "[]", "name": "x" * 300}, "1 to 255 characters"),
        ({"items": "1\n[", "format": "ndjson"}, "Line 2"),
    ],
)
def test_a_mistake_in_the_form_is_named_and_loses_nothing(
    client: FlaskClient, fields: dict[str, str], reason: str
) -> None:
    answer = client.post("/", data=fields)
    assert answer.status_code == 400
    assert reason in html.unescape(answer.text)
    assert html.escape(fields["items"], quote=True).replace("&quot;", "&#34;") in answer.text


def test_the_example_in_the_form_can_be_sent_as_it_is(client: FlaskClient) -> None:
    (example,) = re.findall(r"<textarea[^>]*>(.*?)</textarea>", client.get("/").text, re.DOTALL)
    answer = send(client, html.unescape(example))
    assert answer.status_code == 200
    assert 'href="/dashboard/tasks/' in answer.text


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
    assert f'spellcheck="false">{html.escape(text)}</textarea>' in answer.text
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
        assert all(re.match(r"#|/(?!/)", link) for link in links)
        assert re.findall(r"<script([^>]*)>(.*?)</script>", answer.text) == [(SCRIPT, "")]
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
    for name in ("what", "batches", "waiting", "refused", "send_batch", "send"):
        assert words_of(language)[name] in html.unescape(answer.text)
    assert f'<a href="/docs">{words_of(language)["docs"]}</a>' in answer.text


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
