"""Pasted text: what CSV cells mean for a schema, and which format a text has."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_tool.errors import QueueToolError
from queue_tool.model.pasted import FORMATS, pasted

ROW = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "number": {"type": "number"},
        "flag": {"type": "boolean"},
        "either": {"type": ["integer", "string"]},
        "list": {"type": "array"},
    },
}


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        ("text,number\n007,1.5\n", [{"text": "007", "number": 1.5}]),
        ("text,number\n,\n", [{"text": ""}]),
        ("text,flag\nx,true\ny,yes\n", [{"text": "x", "flag": True}, {"text": "y", "flag": "yes"}]),
        ("number;list\n1;[1, 2]\n", [{"number": 1, "list": [1, 2]}]),
        ("either,more\n5,6\n", [{"either": "5", "more": "6"}]),
        ('text,number\r\n"a, ""b""\nc",2\r\n\r\n', [{"text": 'a, "b"\nc', "number": 2}]),
        ("text\tnumber\nx\t3\n", [{"text": "x", "number": 3}]),
        ("text,number\nx\n", [{"text": "x"}]),
    ],
)
def test_a_cell_has_the_type_that_the_schema_wants(text: str, elements: list[object]) -> None:
    assert pasted(text.encode(), ROW, form="csv").elements == elements


@pytest.mark.parametrize(
    ("schema", "elements"),
    [
        ({"type": "string"}, ["1", "2"]),
        ({"type": "number"}, [1, 2]),
        ({"type": "array", "items": {"type": "number"}}, [[1], [2]]),
    ],
)
def test_one_column_is_the_data_itself_unless_the_schema_wants_an_object(
    schema: dict[str, object], elements: list[object]
) -> None:
    assert pasted(b"n\n1\n2\n", schema, form="csv").elements == elements


@pytest.mark.parametrize(
    ("text", "name", "form"),
    [
        (b"[1,\n2]", "", "json"),
        (b'{"a": 1}\n{"a": 2}', "", "ndjson"),
        (b"1\n2\n", "", "ndjson"),
        (b"a,b\n1,2", "", "csv"),
        (b"[1]", "a.JSON", "json"),
        (b"1", "a.jsonl", "ndjson"),
        (b"a\n1", "a.csv", "csv"),
    ],
)
def test_the_name_of_the_file_or_the_beginning_of_the_text_shows_the_format(text: bytes, name: str, form: str) -> None:
    assert pasted(text, {"type": "object"}, name=name).format == form


@given(text=st.binary(max_size=60), form=st.sampled_from(["", *FORMATS]))
def test_any_text_has_elements_or_is_refused(text: bytes, form: str) -> None:
    with suppress(QueueToolError):  # any other error fails the test
        assert pasted(text, ROW, form=form).format in FORMATS
