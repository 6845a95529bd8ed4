"""Tokens: UUIDs of version 7 without dashes, ordered by millisecond and impossible to guess."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queue_tool.model.tokens import ENTROPY_BYTES, is_well_formed, make

relaxed = settings(deadline=None)
moments = st.integers(0, 2**48 - 1)
entropies = st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES)
several = st.integers(0, 20).flatmap(lambda count: st.binary(min_size=10 * count, max_size=10 * count))


def token_of(milliseconds: int, entropy: bytes) -> str:
    (token,) = make(milliseconds, entropy)
    return token


@relaxed
@given(moments, several)
def test_every_ten_bytes_of_entropy_make_one_token(milliseconds: int, entropy: bytes) -> None:
    assert len(make(milliseconds, entropy)) == len(entropy) // ENTROPY_BYTES


@relaxed
@given(moments, entropies)
def test_a_token_is_32_lower_case_hexadecimal_digits(milliseconds: int, entropy: bytes) -> None:
    token = token_of(milliseconds, entropy)
    assert len(token) == 32
    assert set(token) <= set("0123456789abcdef")
    assert is_well_formed(token)


@relaxed
@given(moments, entropies)
def test_a_token_reads_as_a_uuid_of_version_7_and_the_rfc_variant(milliseconds: int, entropy: bytes) -> None:
    read = uuid.UUID(token_of(milliseconds, entropy))
    assert read.version == 7
    assert read.variant == uuid.RFC_4122
    assert read.hex == token_of(milliseconds, entropy)


@relaxed
@given(moments, entropies)
def test_a_token_contains_its_millisecond(milliseconds: int, entropy: bytes) -> None:
    assert uuid.UUID(token_of(milliseconds, entropy)).int >> 80 == milliseconds


@relaxed
@given(st.lists(moments, min_size=2, max_size=2, unique=True), entropies, entropies)
def test_tokens_are_ordered_by_their_millisecond(moments: list[int], first: bytes, second: bytes) -> None:
    earlier, later = sorted(moments)
    assert token_of(earlier, first) < token_of(later, second)


def random_bits(token: str) -> int:
    """Return the 74 random bits of a token, without time, version and variant."""
    number = uuid.UUID(token).int
    return (number >> 64 & 0xFFF) << 62 | number & (2**62 - 1)


def only_bit(number: int) -> bytes:
    return (1 << number).to_bytes(ENTROPY_BYTES, "big")


def test_74_bits_of_entropy_each_set_one_bit_of_a_token() -> None:
    nothing = random_bits(token_of(0, bytes(ENTROPY_BYTES)))
    changed = [random_bits(token_of(0, only_bit(number))) ^ nothing for number in range(8 * ENTROPY_BYTES)]
    used = [bits for bits in changed if bits]
    assert len(used) == 74
    assert sorted(used) == [1 << place for place in range(74)]


@relaxed
@given(moments, st.sets(st.integers(0, 2**60 - 1), max_size=50))
def test_tokens_of_one_millisecond_are_distinct(milliseconds: int, numbers: set[int]) -> None:
    # A token does not use the last 4 bits.
    entropy = b"".join((number << 4).to_bytes(ENTROPY_BYTES, "big") for number in numbers)
    assert len(set(make(milliseconds, entropy))) == len(numbers)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0" * 31,
        "0" * 33,
        "A" * 32,
        "g" * 32,
        "0" * 32 + "\n",
        " " + "0" * 31,
        "٣" * 32,
        "019ab2f0-c3d4-7e1a-a337-8b81ba69d255",
        "INVALID_JOB_REQUEST",
    ],
)
def test_other_texts_are_not_tokens(text: str) -> None:
    assert not is_well_formed(text)


@relaxed
@given(st.text(alphabet="0123456789abcdef", min_size=32, max_size=32))
def test_any_32_lower_case_hexadecimal_digits_could_be_a_token(text: str) -> None:
    assert is_well_formed(text)
