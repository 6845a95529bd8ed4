"""The parts of the commands that ask the service, without a service."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Any, BinaryIO, cast

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from queue_tool import Client
from queue_tool.cli.client.options import duration as duration_of
from queue_tool.cli.client.options import time
from queue_tool.cli.client.pace import LATELY, Pace, duration
from queue_tool.cli.client.progress import View, drawn
from queue_tool.cli.client.screen import escaped, visible
from queue_tool.cli.client.source import MARK, Places, open_source
from queue_tool.cli.client.tables import table_of
from queue_tool.errors import BadRequest, MalformedJson, NotAnArray
from queue_tool.model.array_text import ArrayText
from queue_tool.model.payloads.batches import Batch, BatchCounts
from queue_tool.model.typed import convert


@given(st.lists(st.integers(min_value=1, max_value=3)))
def test_the_line_of_each_element_is_known(steps: Sequence[int]) -> None:
    places, lines = Places(), [sum(steps[: end + 1]) for end in range(len(steps))]
    for line in lines:
        places.add(line)
    assert [places.line_of(index) for index in range(len(lines))] == lines


def test_a_file_without_gaps_needs_no_memory_for_its_lines() -> None:
    places = Places()
    for line in range(2, 10_000):
        places.add(line)
    assert places.distances == 1


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=2))
def test_json_lines_are_read_with_their_lines(texts: list[str]) -> None:
    body = MARK + b"\n \n".join(json.dumps(text).encode() for text in texts)
    source = open_source(io.BytesIO(body), "-", "jsonl")
    assert list(source) == texts
    assert [source.line_of(index) for index in range(len(texts))] == [1 + 2 * index for index in range(len(texts))]


JSON = st.recursive(
    st.none() | st.integers(-9, 9) | st.text(st.sampled_from('"\\[]{},ä ')),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.sampled_from('"\\[{,')), inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(JSON), st.sampled_from([None, 1]), st.integers(1, 9))
def test_an_array_is_read_element_by_element_wherever_its_pieces_end(
    elements: list[object], indent: int | None, size: int
) -> None:
    text = json.dumps(elements, indent=indent, ensure_ascii=False).encode() + b" \n"
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert [json.loads(element) for element in ArrayText(pieces)] == elements


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("[1, x]", "Element 1 of rows.json is not valid JSON: unexpected character"),
        ("[1, NaN]", "Element 1 of rows.json is not valid JSON: "),
        ('[{"a": 1}, {"a": 1 2}]', "Element 1 of rows.json is not valid JSON: unexpected"),
        ("[1,]", "Element 1 of rows.json is not valid JSON: "),
        ("[,1]", "Element 0 of rows.json is not valid JSON: "),
        ("[1}, 2]", "Element 0 of rows.json is not valid JSON: "),
        ("[1] 2", "rows.json has more text behind its array."),
        ("[1, 2", "rows.json is not valid JSON: its array has no end."),
        ('["a]', "rows.json is not valid JSON: its array has no end."),
        ("{}", "rows.json must be a JSON array, or have a value on each line"),
        ("1 [2]", "rows.json must be a JSON array, or have a value on each line"),
        (" ", "rows.json is not valid JSON: it is empty."),
    ],
)
def test_what_is_wrong_in_an_array_is_said_with_its_element(body: str, sentence: str) -> None:
    with pytest.raises((MalformedJson, NotAnArray)) as refused:
        list(open_source(io.BytesIO(body.encode()), "rows.json", None))
    assert refused.value.sentence.startswith(sentence)


class Made(io.RawIOBase):
    """A file that is made while it is read: its bytes are never in memory together."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        """Consist of these pieces."""
        self._pieces, self._rest = pieces, b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Put the beginning of the rest into the buffer."""
        self._rest = self._rest or next(self._pieces, b"")
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def peak() -> int:
    """Return the most memory that this process has used since `forget_peak`, in bytes."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def forget_peak() -> None:
    """Let the present memory be the peak."""
    Path("/proc/self/clear_refs").write_text("5")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of the memory")
@pytest.mark.parametrize(("form", "begin", "between", "end"), [("json", b"[", b",", b"]"), ("ndjson", b"", b"\n", b"")])
def test_a_file_of_200_000_elements_is_read_in_little_memory(
    form: str, begin: bytes, between: bytes, end: bytes
) -> None:
    """The file has 44 MiB, and the peak of the process grows by at most 10 of them, as with JSON Lines."""
    part = between.join([json.dumps({"item": "x" * 200, "valor": 1}).encode()] * 100)
    pieces = chain([begin + part], repeat(between + part, 1999), [end])
    file = cast("BinaryIO", io.BufferedReader(Made(pieces), 2**16))
    forget_peak()
    before = peak()
    assert sum(1 for _ in open_source(file, "-", form)) == 200_000
    assert peak() - before < 10 * 2**20


@pytest.mark.parametrize(
    ("body", "name", "form"),
    [
        (b"[1,\n2]", "-", "json"),
        (b"\n [1]", "-", "json"),
        (b'{"a": 1}', "-", "ndjson"),
        (b'{"a": 1}\n{"a": 2}\n', "-", "ndjson"),
        (b"a,b\n1,2\n", "-", "csv"),
        (b"a\n1\n", "rows.CSV", "csv"),
        (b"a\tb\n", "rows.tsv", "csv"),
        (b"1\n2\n", "rows.txt", "ndjson"),
    ],
)
def test_the_name_or_the_beginning_of_a_file_shows_its_format(body: bytes, name: str, form: str) -> None:
    assert open_source(io.BytesIO(body), name, None).form == form


def test_a_row_of_several_lines_has_the_number_of_its_first_one() -> None:
    source = open_source(io.BytesIO(b'a,b\r\n1,"x\r\ny\r\nz"\r\n\r\n2,"x"\r\n3,x\r\n'), "rows.csv", None)
    assert [element["a"] for element in source if isinstance(element, dict)] == ["1", "2", "3"]
    assert [source.place_of(index) for index in range(3)] == ["line 2", "line 6", "line 7"]


def test_an_empty_pipe_of_json_lines_has_no_elements() -> None:
    for body in (b"", b"\n \n", MARK):
        for form in ("jsonl", None):
            assert list(open_source(io.BytesIO(body), "-", form)) == []


def test_a_line_that_is_no_json_is_reported_with_its_number_once() -> None:
    source = open_source(io.BytesIO(b'1\n{oops\n"\xff"\n2\n'), "-", "jsonl")
    reports: list[tuple[int, str]] = []
    source.report = lambda number, sentence: reports.append((number, sentence))
    assert list(source) == [1, 2]
    assert [number for number, _ in reports] == [2, 3]
    assert reports[0][1].startswith("not valid JSON: unexpected character")
    assert reports[1][1] == "not valid JSON: it is not UTF-8."


@pytest.mark.parametrize(
    ("text", "mapping", "sentence"),
    [
        (b"a,a\n1,2\n", {}, "has the column 'a' twice"),
        (b"a,b\n1,2\n", {"a": "b"}, "'a' and 'b' both go to the field 'b'"),
        (b"a,b\n1,2\n3,4,5\n", {}, "Line 3 has 3 cells, and the first line names 2 columns"),
    ],
)
def test_no_cell_of_csv_is_lost_silently(text: bytes, mapping: dict[str, str], sentence: str) -> None:
    source = open_source(io.BytesIO(text), "rows.csv", None)
    source.mapping = mapping
    with pytest.raises(BadRequest, match=sentence):
        list(source)


def test_what_a_spreadsheet_adds_to_csv_does_no_harm() -> None:
    empty_cells, long = b"a,b,,\n1,2,,\n3,4,,,\n", b"x" * 200_000
    source = open_source(io.BytesIO(empty_cells), "rows.csv", None)
    assert list(source) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
    assert list(open_source(io.BytesIO(b"a,b\n" + long + b",1\n"), "rows.csv", None)) == [
        {"a": long.decode(), "b": "1"}
    ]


def test_a_row_that_is_not_closed_is_an_error() -> None:
    with pytest.raises(BadRequest, match="not valid CSV: line 3"):
        list(open_source(io.BytesIO(b'a,b\n1,"x\ny'), "rows.csv", None))


def test_the_pace_is_that_of_the_last_half_minute() -> None:
    pace = Pace()
    pace.look(0.0, 0)
    assert (pace.rate, pace.left(10)) == (None, None)
    pace.look(10.0, 10)
    assert (pace.rate, pace.left(10)) == (1.0, 10.0)
    for second in range(11, 101):
        pace.look(float(second), 10 + 5 * (second - 10))
    assert pace.rate == 5.0
    pace.look(100.0 + 3 * LATELY, 460)  # nothing ended
    assert pace.rate == 0.0
    assert pace.left(10) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (7260, "2 h 1 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_a_duration_has_two_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("1.5h", 5400), ("30m", 1800), ("7d", 604800), ("0s", 0)])
def test_a_duration_may_have_a_unit(text: str, seconds: float) -> None:
    assert duration_of(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "1w", "-1", "1 h", "\u0661"])
def test_other_durations_and_times_are_refused(text: str) -> None:
    for read in (duration_of, time):
        with pytest.raises(click.BadParameter, match="30m, 2h or 7d"):
            read(text)


@given(st.text())
def test_no_text_controls_the_terminal(text: str) -> None:
    shown = visible(text)
    shown.encode()
    assert not any(ord(letter) < 32 or 0x7F <= ord(letter) < 0xA0 for letter in shown)
    assert visible(shown) == shown


@given(st.text(), st.sampled_from(["\r\n", "\n"]))
def test_json_at_a_terminal_has_the_same_value(text: str, end: str) -> None:
    shown = escaped(json.dumps(text, ensure_ascii=False) + end)
    assert json.loads(shown) == text
    assert shown.endswith(end)
    assert visible(shown.removesuffix(end)) == shown.removesuffix(end)


@pytest.mark.parametrize("columns", [30, 200])
def test_a_batch_that_runs_is_drawn_with_its_pace(columns: int) -> None:
    view = View()
    with Client("http://127.0.0.1:1") as nobody:
        for done in (0, 25):
            view.take(running(done), nobody)
    text = "\n".join(lines_of(drawn(view, columns), columns))
    words = " ".join(text.split())
    assert "import \\x1b[2J" in words
    assert "25% " in words
    assert "25 of 100 done, more may come" in words
    assert re.search(r"queued 75 finished 25 [\d,.]+ per second$", words)


def running(done: int) -> Batch:
    """Return an open batch of which so many of 100 tasks have ended."""
    fields = {"id": "b" * 30, "message": "", "status": "running", "name": "import \x1b[2J", "metadata": {}}
    numbers = {"total": 100, "accepted": 100, "rejected": 0, "open": 100 - done, "progress": done / 100}
    counts = dict.fromkeys(BatchCounts.__struct_fields__, 0) | {"finished": done, "queued": 100 - done}
    times = {"created_at": "2026-01-01T00:00:00Z", "finished_at": None, "sealed": False, "sealed_by": None}
    return convert({**fields, **numbers, **times, "counts": counts}, Batch)


def lines_of(drawing: RenderableType, width: int) -> list[str]:
    """Return the lines of a drawing, of which none is wider than the terminal."""
    console = Console(file=io.StringIO(), width=width, legacy_windows=False)
    lines = console.render_lines(drawing, pad=False)
    assert all(sum(part.cell_length for part in line) <= width for line in lines)
    return ["".join(part.text for part in line) for line in lines]


@given(st.lists(st.lists(st.text(max_size=60), min_size=3, max_size=3), min_size=1, max_size=4), st.integers(20, 140))
def test_no_table_is_wider_than_the_terminal(rows: list[list[str]], width: int) -> None:
    shown = [[visible(text) for text in row] for row in rows]
    lines_of(table_of(["first", "second", "third"], shown, width), width)
