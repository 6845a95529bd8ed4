"""JSON as a page shows it: indented, and cut if it is long."""

from __future__ import annotations

import json
from dataclasses import dataclass

from queue_tool.model import json_text

LONGEST = 20_000
"""Characters of a value on a page. The API has all of it."""

LONGEST_INDENTED = 200_000
"""Characters of a value that is indented: a longer one is cut as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretty:
    """A value as text."""

    text: str
    is_cut: bool


def pretty(stored: str | None) -> Pretty | None:
    """Return a stored JSON text for a page. None stays None."""
    if stored is None:
        return None
    text = _indented(stored) if len(stored) <= LONGEST_INDENTED else stored
    return Pretty(text=text[:LONGEST], is_cut=len(text) > LONGEST)


def _indented(stored: str) -> str:
    try:
        return json.dumps(json_text.loads(stored), indent=2, ensure_ascii=False)
    except RecursionError:
        return stored
