"""What compares the documents with the program sees every difference that is not one of shape."""

from __future__ import annotations

import pytest

from tests.documents.likeness import Names, alike, difference

ONE, TWO, THREE = ("0" * 31 + digit for digit in "123")
SOME_TIME, OTHER_TIME = "2026-11-22T20:19:14.081416Z", "2031-01-02T03:04:05Z"


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 2}, {"a": 1}),
        ({"a": None}, {"a": 0}),
        ([1], [1, 1]),
        ([{"a": [1, 2]}], [{"a": [1, 3]}]),
        ("Finalizado", "Em processamento"),
        ("a…c", "a b d"),
        (SOME_TIME, "soon"),
        (ONE, "not a token"),
        ([ONE, ONE], [TWO, THREE]),
        ({"lag": 0.5}, {"lag": "long"}),
        ("qt_abcdefgh", "abcdefgh"),
    ],
)
def test_a_difference_is_found(shown: object, found: object) -> None:
    assert difference(shown, found, Names(), varies=["lag"])


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        ({"a": [1, None, True]}, {"a": [1, None, True]}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ([ONE, ONE, TWO], [TWO, TWO, THREE]),
        ({"lag": 0.5}, {"lag": 12.25}),
        ({"lag": 0.5}, {"lag": None}),
        (SOME_TIME, OTHER_TIME),
        (f"Task {ONE} at {SOME_TIME} …", f"Task {TWO} at {OTHER_TIME} on this machine"),
        ("qt_abcdefgh", "qt_ABCDEFGHIJKLMNOP"),
    ],
)
def test_what_only_varies_is_no_difference(shown: object, found: object) -> None:
    assert difference(shown, found, Names(), varies=["lag"]) is None


def test_a_later_command_names_the_token_that_the_program_gave() -> None:
    names = Names()
    assert alike(f"token {ONE}", f"token {TWO}", names)
    assert names.replace(f"curl http://127.0.0.1:5000/check/{ONE}") == f"curl http://127.0.0.1:5000/check/{TWO}"
