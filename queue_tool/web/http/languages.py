"""The words of the pages, a file for each language; the browser's Accept-Language header chooses.

The files are TOML, which Python reads itself: nothing has to be compiled, and a translator needs no tool.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from flask import request

LANGUAGES = ("en", "pt", "tr", "ru")

_FOLDER = Path(__file__).with_name("words")


def words() -> Mapping[str, str]:
    """Return the words for the current request, with the language code under `lang`."""
    return words_of(request.accept_languages.best_match(LANGUAGES, default="en"))


@cache
def words_of(language: str) -> Mapping[str, str]:
    """Return the words of a language. They are read at their first use."""
    import tomllib

    with (_FOLDER / f"{language}.toml").open("rb") as file:
        return tomllib.load(file) | {"lang": language}
