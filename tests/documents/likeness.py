"""Whether a program printed what a page shows, where tokens, ids, keys and times differ from run to run.

A token, id or API key of the page stands for the real one that was seen at its place first, in every later command and
answer of the page. A time need only be a time. `…` stands for any text. All else must be equal, key by key.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

ID = re.compile(r"\b[0-9a-f]{32}\b")
KEY = re.compile(r"\bqt_[\w-]{8,}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
ANY = "…"


class Names:
    """Which real tokens, ids and keys those of a page stand for."""

    def __init__(self) -> None:
        """Begin a page."""
        self.real: dict[str, str] = {}

    def bind(self, shown: str, found: str) -> bool:
        """Let a shown name stand for a real one; return whether it does, and stands for no other."""
        return self.real.setdefault(shown, found) == found

    def replace(self, text: str) -> str:
        """Return a command with the real names in it."""
        for shown, found in self.real.items():
            text = text.replace(shown, found)
        return text


def difference(shown: Any, found: Any, names: Names, varies: Collection[str] = (), at: str = "") -> str | None:
    """Return where two JSON values differ first, in words; None where they are alike.

    Args:
        shown: the page's value.
        found: the program's.
        names: what the names of the page stand for; new ones are added.
        varies: keys whose values need only be of the same type, or null.
        at: where in the whole value this is, as a JSON Pointer.
    """
    if isinstance(shown, Mapping) and isinstance(found, Mapping):
        if shown.keys() != found.keys():
            return f"{at or '/'}: the page has {sorted(shown)}, the program {sorted(found)}"
        compared = [name for name in shown if name not in varies or not _same_type(shown[name], found[name])]
        return _first(difference(shown[name], found[name], names, varies, f"{at}/{name}") for name in compared)
    if isinstance(shown, list) and isinstance(found, list):
        if len(shown) != len(found):
            return f"{at or '/'}: the page has {len(shown)} elements, the program {len(found)}"
        pairs = enumerate(zip(shown, found, strict=True))
        return _first(difference(one, other, names, varies, f"{at}/{index}") for index, (one, other) in pairs)
    if isinstance(shown, str) and isinstance(found, str):
        return None if alike(shown, found, names) else f"{at or '/'}: the page has {shown!r}, the program {found!r}"
    same = type(shown) is type(found) and shown == found
    return None if same else f"{at or '/'}: the page has {shown!r}, the program {found!r}"


def _same_type(shown: Any, found: Any) -> bool:
    return type(shown) is type(found) or None in (shown, found)


def _first(differences: Iterable[str | None]) -> str | None:
    return next(filter(None, differences), None)


def alike(shown: str, found: str, names: Names) -> bool:
    """Return whether a text of the page can be the program's; ids and keys in it are bound."""
    pattern, ids = _pattern(shown)
    match = re.fullmatch(pattern, found)
    return match is not None and all(names.bind(each, real) for each, real in zip(ids, match.groups(), strict=True))


def _pattern(shown: str) -> tuple[str, list[str]]:
    """Return an expression in which ids and keys are groups, times and `…` are what they stand for; and the ids."""
    ids: list[str] = []
    pattern = ""
    rest = 0
    for part in re.finditer(f"{TIME.pattern}|{ID.pattern}|{KEY.pattern}|{ANY}", shown):
        pattern += re.escape(shown[rest : part.start()])
        rest = part.end()
        text = part.group()
        if text == ANY:
            pattern += ".*"
        elif ID.fullmatch(text) or KEY.fullmatch(text):
            ids.append(text)
            pattern += f"({ID.pattern if ID.fullmatch(text) else KEY.pattern})"
        else:
            datetime.fromisoformat(text)
            pattern += f"(?:{TIME.pattern})"
    return pattern + re.escape(shown[rest:]), ids
