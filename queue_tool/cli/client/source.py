"""Sources: the elements of a file or a pipe, each with the line where it begins.

JSON Lines and CSV are read line by line, and a JSON array element by element.
"""

from __future__ import annotations

import io
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import BinaryIO

from queue_tool.errors import BadRequest, MalformedJson, NotAnArray
from queue_tool.model import json_text
from queue_tool.model.array_text import ArrayText
from queue_tool.model.csv_elements import CsvElements
from queue_tool.model.pasted import ENDINGS, format_of

MARK = b"\xef\xbb\xbf"
"""The byte-order mark that some editors put in front of a text."""

STDIN = "-"
PIPE = "The input"
"""The name of the standard input in sentences."""

PIECE = 2**16
"""Bytes of a JSON array that are read at once."""

Report = Callable[[int, str], None]
"""Is told of a line that is no element: its number, and what is wrong."""


class Places:
    """The line of each element. It needs memory only where the distance between indexes and lines changes."""

    def __init__(self) -> None:
        """Begin without elements."""
        self._count = 0
        self._indexes, self._lines = array("q"), array("q")

    def add(self, line: int) -> None:
        """Remember the line of the next element."""
        if not self._indexes or line - self._lines[-1] != self._count - self._indexes[-1]:
            self._indexes.append(self._count)
            self._lines.append(line)
        self._count += 1

    @property
    def distances(self) -> int:
        """Return how often that distance changed: the memory grows with it."""
        return len(self._indexes)

    def line_of(self, index: int) -> int:
        """Return the line of an element."""
        known = bisect_right(self._indexes, index) - 1
        return self._lines[known] + index - self._indexes[known]


@dataclass(kw_only=True)
class Source:
    """The elements of a file. They can be read once."""

    name: str  # for sentences
    form: str  # one of FORMATS
    lines: Iterator[bytes]  # of JSON: pieces that end anywhere
    schema: Mapping[str, object] | bool = True  # of the data, which says what the cells of CSV mean
    mapping: Mapping[str, str] = field(default_factory=dict)  # the field for each column of CSV
    places: Places = field(default_factory=Places)  # of the elements that were read
    report: Report | None = None  # what is told of a line that is no JSON; None: it is an error

    def __iter__(self) -> Iterator[object]:
        """Iterate over the elements.

        Raises:
            BadRequest: the text is not in this format.
        """
        read = {"json": self._of_json, "ndjson": self._of_lines, "csv": self._of_csv}[self.form]
        for line, element in read():
            self.places.add(line)
            yield element

    @property
    def _inside(self) -> str:
        """Return its name in the middle of a sentence."""
        return self.name.lower() if self.name == PIPE else self.name

    def line_of(self, index: int) -> int | None:
        """Return the line of an element; None in a JSON array, whose elements only have a position."""
        return None if self.form == "json" else self.places.line_of(index)

    def place_of(self, index: int) -> str:
        """Return where an element is, in words."""
        line = self.line_of(index)
        return f"element {index}" if line is None else f"line {line}"

    def _of_json(self) -> Iterator[tuple[int, object]]:
        try:
            for index, text in enumerate(ArrayText(self.lines)):
                yield 0, self._element(index, text)
        except NotAnArray:
            raise NotAnArray(f"{self.name} must be a JSON array, or have a value on each line: see --format.") from None
        except MalformedJson as error:
            raise MalformedJson(error.sentence.replace("The body", self.name, 1)) from None

    def _element(self, index: int, text: bytes) -> object:
        try:
            return json_text.loads(text)
        except MalformedJson as error:
            raise MalformedJson(error.sentence.replace("The body", f"Element {index} of {self.name}", 1)) from None

    def _of_lines(self) -> Iterator[tuple[int, object]]:
        for number, line in enumerate(self.lines, start=1):
            if not line.strip():
                continue
            try:
                yield number, json_text.loads_line(line, number, self._inside)
            except MalformedJson as error:
                if self.report is None:
                    raise
                self.report(number, error.sentence.removeprefix(f"Line {number} of {self._inside} is "))

    def _of_csv(self) -> Iterator[tuple[int, object]]:
        rows = CsvElements(self._texts(), self.schema, self.mapping)
        missing = sorted(self.mapping.keys() - set(rows.columns))
        if missing:
            known = ", ".join(rows.columns)
            raise BadRequest(f"{self.name} has no column {missing[0]!r}, which --map names. It has: {known}.")
        yield from rows

    def _texts(self) -> Iterator[str]:
        for number, line in enumerate(self.lines, start=1):
            try:
                text = line.decode()
            except UnicodeDecodeError:
                raise BadRequest(f"Line {number} of {self._inside} is not UTF-8: save it with this encoding.") from None
            yield from io.StringIO(text, newline="")  # a lone carriage return ends a row, too


def open_source(file: BinaryIO, name: str, form: str | None) -> Source:
    """Return the source of a file. If neither the format nor the name says what it is, read its beginning."""
    chosen, begun = ENDINGS.get(form or name.rpartition(".")[2].lower()), list[bytes]()
    if chosen is None:
        begun = _beginning(file)
        chosen = "json" if begun[-1].removeprefix(MARK).lstrip().startswith(b"[") else None
    if chosen == "json":
        lines = _without_mark(chain(begun, iter(lambda: file.read(PIECE), b"")))
    else:
        lines = _without_mark(_lines(file, begun))
    if chosen is None:
        first = _first_two(lines)
        chosen, lines = _format_of(b"".join(first)), chain(first, lines)
    return Source(name=PIPE if name == STDIN else name, form=chosen, lines=lines)


def _beginning(file: BinaryIO) -> list[bytes]:
    """Return the lines up to the first one that is not empty, which may be cut off: an array may be one line."""
    found = [file.readline(PIECE)]
    while found[-1].removeprefix(MARK).isspace() and (line := file.readline(PIECE)):
        found.append(line)
    return found


def _lines(file: BinaryIO, begun: Sequence[bytes]) -> Iterator[bytes]:
    """Iterate over the lines, of which some were read, the last of these perhaps in part."""
    if begun:
        yield from begun[:-1]
        yield begun[-1] if begun[-1].endswith(b"\n") else begun[-1] + file.readline()
    yield from file


def _without_mark(pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield next(pieces, b"").removeprefix(MARK)
    yield from pieces


def _format_of(text: bytes) -> str:
    """Return the format of the first two lines, which begin no array. Other JSON has a value on each line."""
    found = format_of(text)
    return "ndjson" if found == "json" else found


def _first_two(lines: Iterator[bytes]) -> list[bytes]:
    """Return the lines up to the second one that is not empty."""
    found: list[bytes] = []
    full = 0
    for line in lines:
        found.append(line)
        full += not line.isspace()
        if full == 2:  # noqa: PLR2004 - as the name says
            break
    return found
