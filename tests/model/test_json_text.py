"""JSON: read strictly, written at any depth; results are checked even more strictly."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queue_tool.errors import MalformedJson
from queue_tool.model.json_text import dumps, dumps_result, embed, loads

MAX_DEPTH = 1024  # orjson refuses deeper texts

relaxed = settings(deadline=None)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5), max_leaves=20
)


def nested_text(depth: int, kinds: int, leaf: str) -> str:
    """Return a compact text of `depth` nested containers; each bit of `kinds` chooses an object or an array."""
    objects = [bool(kinds >> level & 1) for level in range(depth)]
    opened = "".join('{"k":' if is_object else "[" for is_object in objects)
    return opened + leaf + "".join("}" if is_object else "]" for is_object in reversed(objects))


@relaxed
@given(values)
def test_a_written_value_reads_the_same(value: object) -> None:
    assert loads(dumps(value)) == value


@relaxed
@given(values)
def test_another_json_parser_reads_the_same(value: object) -> None:
    assert json.loads(dumps(value)) == value


@relaxed
@given(values)
def test_bytes_and_strings_can_be_read(value: object) -> None:
    text = json.dumps(value)
    assert loads(text) == loads(text.encode()) == value


@relaxed
@given(
    st.integers(1, MAX_DEPTH),
    st.integers(0, 2**MAX_DEPTH - 1),
    scalars.map(lambda leaf: dumps(leaf).decode()),
)
def test_a_value_of_any_depth_can_be_read_and_written(depth: int, kinds: int, leaf: str) -> None:
    text = nested_text(depth, kinds, leaf)
    assert dumps(loads(text)).decode() == text


@pytest.mark.parametrize("kinds", [0, 2**MAX_DEPTH - 1], ids=["arrays", "objects"])
def test_1024_levels_can_be_read_and_written(kinds: int) -> None:
    text = nested_text(1024, kinds, "1")
    assert dumps(loads(text)).decode() == text


@pytest.mark.parametrize("kinds", [0, 2**2000 - 1], ids=["arrays", "objects"])
@pytest.mark.parametrize("depth", [1025, 2000])
def test_more_than_1024_levels_are_refused(depth: int, kinds: int) -> None:
    with pytest.raises(MalformedJson):
        loads(nested_text(depth, kinds, "1"))


def test_a_deep_value_with_many_members_keeps_their_order() -> None:
    deep = nested_text(400, 0, "null")
    text = f'{{"z":[1,2,{deep},"ü"],"a":{{}},"m":[],"":{{"x":{deep},"b":-0.5}}}}'
    assert dumps(loads(text)).decode() == text


@pytest.mark.parametrize(
    "text",
    [
        b"NaN",
        b"[NaN]",
        b"-NaN",
        b"Infinity",
        b"-Infinity",
        b"1e400",
        b"-1e400",
        b"[1" + b"0" * 400 + b"]",
        rb'"\ud800"',
        rb'"\udc00"',
        rb'{"\ud83d": 1}',
        b'"\xed\xa0\x80"',
        '"\ud800"',
        b"\xef\xbb\xbf[]",
        "\ufeff[]",
        b"\xff",
        b"",
        b" ",
        b"[1,]",
        b"[1] 2",
        b"{'a': 1}",
        b'{"a": 1',
        b"01",
        b"1.",
        b"+1",
        b'"\n"',
        b"nul",
        b"// hello\n1",
        "[]".encode("utf-16"),
    ],
    ids=ascii,
)
def test_invalid_json_is_refused(text: bytes | str) -> None:
    with pytest.raises(MalformedJson):
        loads(text)


def test_the_error_names_the_line_and_column() -> None:
    with pytest.raises(MalformedJson, match=r"^The body is not valid JSON: .*line 2 column 3.*\.$"):
        loads("[1,\n2 x]")


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert loads(rb'"\ud83d\ude00"') == "😀"


def test_the_null_character_is_read_and_written() -> None:
    assert loads(rb'"a\u0000b"') == "a\0b"
    assert loads(dumps("a\0b")) == "a\0b"


@pytest.mark.parametrize(("text", "number"), [("18446744073709551616", 2.0**64), ("-9223372036854775809", -(2.0**63))])
def test_integers_beyond_64_bits_become_floats(text: str, number: float) -> None:
    read = loads(text)
    assert isinstance(read, float)
    assert read == number


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63), 2**53 + 1])
def test_integers_of_64_bits_stay_integers(number: int) -> None:
    read = loads(str(number))
    assert isinstance(read, int)
    assert read == number


def test_a_stored_text_is_written_unchanged() -> None:
    assert dumps({"result": embed('{"a":1.50}'), "error": embed(None)}) == b'{"result":{"a":1.50},"error":null}'


def test_a_stored_text_is_written_unchanged_inside_a_deep_value() -> None:
    value: object = embed("[1.50]")
    for _ in range(500):
        value = [value]
    assert dumps(value) == b"[" * 500 + b"[1.50]" + b"]" * 500


@pytest.mark.parametrize(
    "key", [1, True, None, 1.5, math.nan, (1, 2), b"a", datetime(2026, 1, 1, tzinfo=UTC)], ids=repr
)
@pytest.mark.parametrize("place", [lambda value: value, lambda value: [{"a": (value,)}]], ids=["outside", "inside"])
def test_keys_that_are_no_texts_are_refused_instead_of_written_as_what_is_no_json(
    key: object, place: Callable[[object], object]
) -> None:
    with pytest.raises(TypeError, match="keys of JSON objects are texts, and "):
        dumps(place({key: True}))


@pytest.mark.parametrize("value", [{1}, object(), len, 1j, [{"a": {2}}]])
def test_what_json_cannot_represent_is_not_written(value: object) -> None:
    with pytest.raises(TypeError):
        dumps(value)


# -- results -----------------------------------------------------------------------------------------------


@relaxed
@given(values)
def test_a_result_reads_the_same_as_the_returned_value(value: object) -> None:
    assert loads(dumps_result(value)) == value


def test_a_result_is_compact_and_not_escaped_to_ascii() -> None:
    assert dumps_result({"ação": [1, 2.5, None, True]}) == '{"ação":[1,2.5,null,true]}'


def test_a_tuple_is_an_array() -> None:
    assert dumps_result((1, (2,))) == "[1,[2]]"


def test_keys_of_results_become_texts_as_in_the_standard_library() -> None:
    value = {1: {True: (1.5,)}, None: 0}
    assert dumps_result(value) == '{"1":{"true":[1.5]},"null":0}'
    assert loads(dumps_result(value)) == json.loads(json.dumps(value))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, [math.nan], {"a": {"b": math.inf}}, {math.nan: 1}])
def test_a_result_with_nan_or_infinity_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        dumps_result(value)


@pytest.mark.parametrize("value", ["\ud800", ["a\udfff"], {"\ud800": 1}], ids=ascii)
def test_a_result_with_a_lone_surrogate_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="surrogates"):
        dumps_result(value)


@pytest.mark.parametrize(
    "value", [{1, 2}, b"bytes", object(), datetime(2026, 1, 1, tzinfo=UTC), 1j, len, {(1, 2): 3}, [1, {"a": {2}}]]
)
def test_a_result_that_json_cannot_represent_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        dumps_result(value)


def _cycle() -> object:
    cycle: list[object] = []
    cycle.append({"a": cycle})
    return cycle


def _too_deep() -> object:
    value: object = None
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize("make", [_cycle, _too_deep])
def test_a_circular_or_too_deep_result_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"Circular|too deeply"):
        dumps_result(make())
