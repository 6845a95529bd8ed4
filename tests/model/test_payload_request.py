"""Task requests with the keys `Payload` and `Parameters` of an earlier system."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from queue_tool.model.payload_request import PAYLOAD_TYPE, Translated, translate
from queue_tool.model.schema import FieldError
from queue_tool.model.task_request import DOCUMENT

OURS: Any = DOCUMENT["properties"]


def in_any_case(word: str) -> st.SearchStrategy[str]:
    """Return spellings of a word in upper and lower case."""
    return st.tuples(*(st.sampled_from((letter, letter.upper())) for letter in word)).map("".join)


@given(payload=in_any_case("payload"), parameters=in_any_case("parameters"), priority=st.booleans())
def test_both_keys_are_understood_in_any_case_beside_our_own(payload: str, parameters: str, priority: bool) -> None:
    more = {"priority": "high"} if priority else {}
    found = translate({payload: [1], parameters: {"a": "b"}} | more)
    assert isinstance(found, Translated)
    assert found.request == {"task_type": PAYLOAD_TYPE, "data": [1], "parameters": {"a": "b"}} | more


@given(st.dictionaries(st.sampled_from([*OURS, "tasks", "Data"]), st.integers()) | st.integers() | st.none())
def test_a_request_in_our_words_is_not_translated(value: object) -> None:
    assert translate(value) is None


def test_a_request_may_name_its_task_type() -> None:
    found = translate({"Payload": "x", "task_type": "uppercase"})
    assert isinstance(found, Translated)
    assert found.request == {"data": "x", "task_type": "uppercase"}


def test_two_keys_of_one_meaning_are_refused() -> None:
    for first, second in (
        ("data", "Payload"),
        ("payload", "Payload"),
        ("parameters", "Parameters"),
        ("PAYLOAD", "data"),
    ):
        found = translate({first: 1, second: 2})
        message = f"{first} and {second} mean the same: send only one of them."
        assert found == FieldError(path=f"/{second}", message=message)


def test_errors_name_the_keys_that_the_client_sent() -> None:
    found = translate({"Payload": 1, "Parameters": 2})
    assert isinstance(found, Translated)
    paths = {"/data": "/Payload", "/data/a/b": "/Payload/a/b", "/parameters": "/Parameters", "/name": "/name", "": ""}
    errors = tuple(FieldError(path=path, message="m") for path in paths)
    assert [error.path for error in found.in_clients_words(errors)] == list(paths.values())
