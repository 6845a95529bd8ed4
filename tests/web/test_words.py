"""The words of the pages: every language has each of them, and the pages use all of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from queue_tool.web.http.frame import MENU, MORE
from queue_tool.web.http.languages import LANGUAGES, words_of
from queue_tool.web.pages import docs

TEMPLATES = Path(docs.__file__).with_name("templates")

MADE = re.compile(
    r"(state|event|did|confirm|done|schedule|cause|tick|overlap|catch_up|unit|outcome|worker|lane|role|chart|series|none|status|problem)_"
)
"""The beginnings of words whose names a page makes from a value, such as a state or an action."""

SHORT = 9
"""Characters. A shorter word may be the same in two languages, and so are names."""


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_every_language_translates_every_word(language: str) -> None:
    english, translated = words_of("en"), words_of(language)
    assert list(translated) == list(english)
    assert all(translated.values())
    same = {name for name, text in translated.items() if text == english[name] and len(text) > SHORT}
    assert same == set()


def test_a_page_uses_each_word_and_no_others() -> None:
    used = {
        name for path in TEMPLATES.glob("*.html") for name in re.findall(r"\bwords\.(\w+)", path.read_text("utf-8"))
    }
    known = {name for name in words_of("en") if not MADE.match(name)} | (used & set(words_of("en")))
    assert used | {*MENU.values(), *MORE.values()} == known


def test_no_word_has_the_name_of_a_method() -> None:
    assert [name for name in words_of("en") if hasattr(dict, name)] == []
