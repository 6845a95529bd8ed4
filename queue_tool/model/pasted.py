"""Pasted text: elements that a person pastes or picks as a file, in JSON, NDJSON or CSV. Pure."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from queue_tool.errors import BadRequest, MalformedJson, NotAnArray
from queue_tool.model import json_text
from queue_tool.model.csv_elements import DELIMITERS, NOT_UTF_8, CsvElements

FORMATS = ("json", "ndjson", "csv")

ENDINGS: Mapping[str, str] = {"json": "json", "ndjson": "ndjson", "jsonl": "ndjson", "csv": "csv", "tsv": "csv"}
"""The format of a file, by the ending of its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pasted:
    """What a text contains."""

    elements: Sequence[object]
    format: str  # one of FORMATS
    columns: Sequence[str] = ()  # of CSV


def pasted(
    text: bytes,
    schema: Mapping[str, object] | bool,
    *,
    form: str = "",
    name: str = "",
    mapping: Mapping[str, str] | None = None,
) -> Pasted:
    """Return the elements of a text.

    Args:
        text: UTF-8.
        schema: the JSON Schema of the data, which says what the cells of CSV mean.
        form: one of FORMATS; empty: the name of the file or the beginning of the text shows it.
        name: the name of the file; empty if there is none.
        mapping: the field for each column of CSV. A column without one has the field of its own name.

    Raises:
        MalformedJson: the text is not JSON or NDJSON.
        NotAnArray: the text is other JSON than an array.
        BadRequest: the text is not UTF-8, or not CSV.
    """
    text = text.removeprefix(b"\xef\xbb\xbf")
    found = form or ENDINGS.get(name.rpartition(".")[2].lower(), "") or format_of(text)
    if found == "csv":
        columns, elements = _of_csv(text, schema, mapping or {})
        return Pasted(elements=elements, format=found, columns=columns)
    if found == "ndjson":
        return Pasted(elements=json_text.loads_lines(text), format=found)
    value = json_text.loads(text)
    if not isinstance(value, list):
        raise NotAnArray
    return Pasted(elements=value, format=found)


def format_of(text: bytes) -> str:
    """Return the format of a text whose first two lines show what it is; JSON if they do not."""
    first, _, rest = text.strip().partition(b"\n")
    if not rest.strip() or first.startswith(b"["):
        return "json"
    try:
        json_text.loads(first)
    except MalformedJson:
        is_row = not first.startswith((b"{", b'"{')) and any(sign.encode() in first for sign in DELIMITERS)
        return "csv" if is_row else "json"
    return "ndjson"


def _of_csv(
    text: bytes, schema: Mapping[str, object] | bool, mapping: Mapping[str, str]
) -> tuple[Sequence[str], list[object]]:
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        raise BadRequest(NOT_UTF_8) from None
    rows = CsvElements(io.StringIO(decoded, newline=""), schema, mapping)
    return rows.columns, [element for _, element in rows]
