"""The page `/docs`: its policy, its files and its texts. `tests/browser/test_docs.py` shows it in a browser."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from queue_tool.web.http.languages import LANGUAGES, words_of
from queue_tool.web.pages.docs import FILES


def test_the_page_loads_only_our_own_files_and_its_policy_requires_that(client: FlaskClient) -> None:
    answer = client.get("/docs")
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy.pop("img-src") == "'self' data:"
    assert {policy.pop(name) for name in ("script-src", "style-src", "connect-src")} == {"'self'"}
    assert {"default-src", "base-uri", "form-action", "frame-ancestors"} == set(policy)
    assert set(policy.values()) == {"'none'"}
    assert answer.headers["Referrer-Policy"] == "same-origin"
    links = re.findall(r'(?:src|href|action)="([^"]*)"', answer.text)
    assert all(re.match(r"/(?!/)", link) for link in links)
    assert "style=" not in answer.text
    assert re.findall(r"<script[^>]*>(.*?)</script>", answer.text, re.DOTALL) == ["", ""]
    for link in links:
        with client.get(link) as file:
            assert file.status_code == 200
    assert client.get("/docs?url=https://elsewhere.example").status_code == 400


def test_the_files_of_swagger_ui_are_cached_for_a_year_and_no_others_are_served(client: FlaskClient) -> None:
    for name, media_type in FILES.items():
        with client.get(f"/docs/assets/{name}") as file:
            assert (file.status_code, file.mimetype) == (200, media_type)
            cache = file.cache_control
            assert (cache.public, cache.immutable, cache.max_age) == (True, True, 365 * 24 * 3600)
            tag = file.headers["ETag"]
        with client.get(f"/docs/assets/{name}", headers={"If-None-Match": tag}) as file:
            assert file.status_code == 304
    for other in ("swagger-ui.js", "oauth2-redirect.html", "VERSION", "..%2f__init__.py", "../__init__.py"):
        assert client.get(f"/docs/assets/{other}").status_code == 404


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_in_the_language_that_the_browser_prefers(client: FlaskClient, language: str) -> None:
    text = client.get("/docs", headers={"Accept-Language": language}).text
    assert f'<html lang="{language}">' in text
    for name in ("docs", "key", "key_use", "key_refused"):
        assert words_of(language)[name] in text.replace("&#39;", "'")
