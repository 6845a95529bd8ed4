"""Tokens: the only public id of a task, and the ids of batches and API keys.

A token is a UUID of version 7 (RFC 9562, section 5.7) as 32 lower-case hexadecimal digits: 48 bits of Unix
milliseconds, then 74 random bits. The time order keeps the database's index fast at millions of rows. The random
bits come from the system's secure source and make a token impossible to guess.
"""

from __future__ import annotations

import re

ENTROPY_BYTES = 10
"""Random bytes for one token: 80 bits, 74 of them are used."""

STAMP = 12
"""How many of the first digits of a token are its time."""

_WITH_VARIANT = bytes(number & 0b11110011 | 0b1000 for number in range(256))
"""The second byte of entropy, whose last digit is the variant: its two high bits are 10."""

_WELL_FORMED = re.compile("[0-9a-f]{32}", re.ASCII)


def make(milliseconds: int, entropy: bytes) -> list[str]:
    """Return one token for every ten bytes of entropy, in ascending order: an index grows fastest at its end.

    Args:
        milliseconds: Unix time of all these tokens.
        entropy: random bytes, `ENTROPY_BYTES` for each token.
    """
    begin = f"{stamp(milliseconds)}7"
    random = bytearray(entropy)
    random[1::ENTROPY_BYTES] = random[1::ENTROPY_BYTES].translate(_WITH_VARIANT)
    digits = random.hex()
    return sorted([begin + digits[start : start + 19] for start in range(0, len(digits), 2 * ENTROPY_BYTES)])


def stamp(milliseconds: int) -> str:
    """Return the first 12 digits of all tokens of this millisecond. Tokens of earlier times sort before this text."""
    return f"{milliseconds:012x}"


def made_at(token: str) -> int:
    """Return when a token was made, in Unix milliseconds. Its first `STAMP` digits are enough."""
    return int(token[:STAMP], 16)


def is_well_formed(text: str) -> bool:
    """Return whether a text has the form of a token: exactly 32 lower-case hexadecimal digits."""
    return _WELL_FORMED.fullmatch(text) is not None
