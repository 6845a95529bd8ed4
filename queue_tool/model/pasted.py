"""Pasted text: elements that a person pastes or picks as a file, in JSON, NDJSON or CSV. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from queue_tool.errors import BadRequest, MalformedJson, NotAnArray
from queue_tool.model import json_text

FORMATS = ("json", "ndjson", "csv")

DELIMITERS = (",", ";", "\t")
"""What may separate the cells of a row. The most frequent one in the first row does."""

ENDINGS: Mapping[str, str] = {"json": "json", "ndjson": "ndjson", "jsonl": "ndjson", "csv": "csv", "tsv": "csv"}
"""The format of a file, by the ending of its name."""

LEFT_OUT = "-"
"""In a mapping: the column is not sent."""


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
    found = form or ENDINGS.get(name.rpartition(".")[2].lower(), "") or _format_of(text)
    if found == "csv":
        columns, elements = _of_csv(text, schema if isinstance(schema, Mapping) else {}, mapping or {})
        return Pasted(elements=elements, format=found, columns=columns)
    if found == "ndjson":
        return Pasted(elements=json_text.loads_lines(text), format=found)
    value = json_text.loads(text)
    if not isinstance(value, list):
        raise NotAnArray
    return Pasted(elements=value, format=found)


def _format_of(text: bytes) -> str:
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
    text: bytes, schema: Mapping[str, object], mapping: Mapping[str, str]
) -> tuple[Sequence[str], list[object]]:
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        raise BadRequest("The file is not UTF-8: save it with this encoding.") from None
    first = decoded.partition("\n")[0]
    rows = csv.reader(io.StringIO(decoded, newline=""), delimiter=max(DELIMITERS, key=first.count), strict=True)
    try:
        columns = [column.strip() for column in next(rows, [])]
        if not any(columns):
            raise BadRequest("The first line of CSV must have the names of the columns.")
        return columns, list(_elements(rows, columns, schema, mapping))
    except csv.Error as error:
        raise BadRequest(f"The text is not valid CSV: line {rows.line_num}: {error}.") from None


def _elements(
    rows: Iterator[list[str]], columns: Sequence[str], schema: Mapping[str, object], mapping: Mapping[str, str]
) -> Iterator[object]:
    fields = [mapping.get(column) or column for column in columns]
    properties = schema.get("properties")
    kinds: Mapping[str, Any] = properties if isinstance(properties, Mapping) else {}
    for row in rows:
        if not row:
            continue
        if schema.get("type") == "object" or kinds:
            cells = zip(fields, row, strict=False)
            yield {
                name: value
                for name, cell in cells
                if name != LEFT_OUT and (value := _value(cell, kinds.get(name))) is not None
            }
        elif schema.get("type") == "array":
            yield [_value(cell, schema.get("items")) for cell in row if cell]
        elif len(columns) == 1:
            yield _value(row[0], schema)
        else:
            yield dict(zip(fields, row, strict=False))


def _value(cell: str, schema: object) -> object:
    """Return the value of a cell. One that is not what the schema wants stays a text, which the schema then refuses.

    An empty cell is None, unless the schema wants a text.
    """
    kind = schema.get("type") if isinstance(schema, Mapping) else "string"
    kinds = kind if isinstance(kind, list) else [kind]
    if "string" in kinds:
        return cell
    if not cell.strip():
        return None
    try:
        return json_text.loads(cell.strip())
    except MalformedJson:
        return cell
