"""CSV: each row is an element, whose cells have the types that a JSON Schema wants. Pure."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from queue_tool.errors import BadRequest, MalformedJson
from queue_tool.model import json_text

DELIMITERS = (",", ";", "\t")
"""What may separate the cells of a row. The most frequent one in the first row does."""

LEFT_OUT = "-"
"""In a mapping: the column is not sent."""

NOT_UTF_8 = "The file is not UTF-8: save it with this encoding."

csv.field_size_limit(64 * 2**20)  # bytes: Python's own limit of 128 KiB is less than one request may have


class CsvElements:
    """The elements of CSV, read row by row. Empty lines are none."""

    def __init__(
        self, lines: Iterable[str], schema: Mapping[str, object] | bool, mapping: Mapping[str, str] | None = None
    ) -> None:
        """Read the first row.

        Args:
            lines: the text, with the ends of its lines.
            schema: the JSON Schema of the data, which says what the cells mean.
            mapping: the field for each column. A column without one has the field of its own name.

        Raises:
            BadRequest: the text is not CSV.
        """
        rest = iter(lines)
        first = next(rest, "")
        delimiter = max(DELIMITERS, key=first.count)
        self._rows = csv.reader(chain([first], rest), delimiter=delimiter, strict=True)
        self._schema = schema if isinstance(schema, Mapping) else {}
        properties = self._schema.get("properties")
        self._kinds: Mapping[str, Any] = properties if isinstance(properties, Mapping) else {}
        self.columns: Sequence[str] = [column.strip() for column in self._next() or []]
        if not any(self.columns):
            raise BadRequest("The first line of CSV must have the names of the columns.")
        self._fields = [(mapping or {}).get(column) or column or LEFT_OUT for column in self.columns]
        if self._schema.get("type") != "array":
            self._require_different()

    def __iter__(self) -> Iterator[tuple[int, object]]:
        """Iterate over the elements, each with the number of the line where its row begins, from 1.

        Raises:
            BadRequest: the rest of the text is not CSV.
        """
        line = self._rows.line_num + 1
        while (row := self._next()) is not None:
            if row:
                yield line, self._element(row, line)
            line = self._rows.line_num + 1

    def _require_different(self) -> None:
        """Refuse columns of which one would hide another one.

        Raises:
            BadRequest: two columns have the same name, or go to the same field.
        """
        of_fields: dict[str, str] = {}
        for column, name in zip(self.columns, self._fields, strict=True):
            other = of_fields.setdefault(name, column) if name != LEFT_OUT else None
            if other == column and self.columns.count(column) > 1:
                raise BadRequest(f"The first line of CSV has the column {column!r} twice: rename one of them.")
            if other not in (None, column):
                raise BadRequest(
                    f"The columns {other!r} and {column!r} both go to the field {name!r}: leave one of them out."
                )

    def _require_no_more(self, row: Sequence[str], line: int) -> None:
        """Refuse a row with cells for which there is no column: nobody knows what they are.

        Raises:
            BadRequest: it has such cells, and they are not empty.
        """
        if any(row[len(self.columns) :]):
            raise BadRequest(f"Line {line} has {len(row)} cells, and the first line names {len(self.columns)} columns.")

    def _next(self) -> list[str] | None:
        try:
            return next(self._rows, None)
        except csv.Error as error:
            raise BadRequest(f"The text is not valid CSV: line {self._rows.line_num}: {error}.") from None

    def _element(self, row: Sequence[str], line: int) -> object:
        kind = self._schema.get("type")
        if kind != "array":
            self._require_no_more(row, line)
        if kind == "object" or self._kinds:
            return {
                name: value
                for name, cell in zip(self._fields, row, strict=False)
                if name != LEFT_OUT and (value := _value(cell, self._kinds.get(name))) is not None
            }
        if kind == "array":
            return [_value(cell, self._schema.get("items")) for cell in row if cell]
        if len(self.columns) == 1:
            return _value(row[0], self._schema)
        return {name: cell for name, cell in zip(self._fields, row, strict=False) if name != LEFT_OUT}


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
