"""The results of a batch as rows of CSV. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from queue_tool.model import json_text

COLUMNS = ("index", "custom_id", "item", "token", "status", "result", "error")


def csv_cells(row: Mapping[str, Any]) -> Sequence[object]:
    """Return the cells of a result. Values that are not text become JSON, and no part of one is read as a formula.

    Args:
        row: the value for each name in `COLUMNS`; the result as JSON text.
    """
    result = None if row["result"] is None else _inert_json(row["result"])
    cells = {**row, "result": result} | {name: _cell(row[name]) for name in ("custom_id", "item", "error")}
    return [cells[name] for name in COLUMNS]


def _cell(value: object) -> str | None:
    if value is None:
        return None
    return _inert(value) if isinstance(value, str) else _inert_json(json_text.dumps(value).decode())


def _inert(text: str) -> str:
    """Put an apostrophe before each character that could begin a formula, whatever separates cells for the reader."""
    inert = _FORMULA.sub(r"'\g<0>", text)
    return f"'{inert}" if text[:1] in ("\t", "\r") else inert


def _inert_json(text: str) -> str:
    """Escape each character that could begin a formula, so that the text is still the same JSON.

    Outside of strings, JSON has none of the separators. A number may begin with a minus sign.
    """
    return _FORMULA_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


_FORMULA = re.compile(r"(?<![^;|\t\r\n])[=+\-@\uff0b\uff0d\uff1d\uff20]")
_FORMULA_IN_JSON = re.compile(r"(?<=[;|])[=+\-@\uff0b\uff0d\uff1d\uff20]")
