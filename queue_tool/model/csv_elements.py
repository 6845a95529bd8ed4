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
        self._fields = [(mapping or {}).get(column) or column for column in self.columns]

    def __iter__(self) -> Iterator[tuple[int, object]]:
        """Iterate over the elements, each with the number of the line where its row begins, from 1.

        Raises:
            BadRequest: the rest of the text is not CSV.
        """
        line = self._rows.line_num + 1
        while (row := self._next()) is not None:
            if row:
                yield line, self._element(row)
            line = self._rows.line_num + 1

    def _next(self) -> list[str] | None:
        try:
            return next(self._rows, None)
        except csv.Error as error:
            raise BadRequest(f"The text is not valid CSV: line {self._rows.line_num}: {error}.") from None

    def _element(self, row: Sequence[str]) -> object:
        kind = self._schema.get("type")
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
        return dict(zip(self._fields, row, strict=False))


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
