"""The texts of settings: each function reads one kind of text.

It raises ValueError with a description of a valid text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

LONGEST = 10**9
"""Seconds, about thirty years: the maximum of every time setting."""

LONGEST_DAYS = 36_500
"""Days, about a hundred years."""

MOST = 10**12
"""The maximum of every number that has no other one."""

SHORTEST_SECRET = 32
"""Characters of a secret that nobody can guess."""

_SIZES = {"kib": 2**10, "mib": 2**20, "gib": 2**30, "": 1}
_IS_SMALL_NUMBER = re.compile("[0-9]{1,15}").fullmatch


def not_empty(text: str) -> str:
    """Read a text without the spaces around it."""
    if not text.strip():
        raise ValueError("a non-empty text")
    return text.strip()


def path(text: str) -> Path:
    """Read a path; `~` is the home directory."""
    try:
        return Path(not_empty(text)).expanduser()
    except RuntimeError:  # `~name` without such a user
        raise ValueError("the path of a directory; `~` needs the name of a user of this machine") from None


def whole(minimum: int, maximum: int | None = None) -> Callable[[str], int]:
    """Return the function that reads a whole number between two bounds."""
    wanted = f"a whole number from {minimum} to {maximum}" if maximum else f"a whole number of at least {minimum}"

    def read(text: str) -> int:
        if not _IS_SMALL_NUMBER(text.strip()) or not minimum <= int(text) <= (maximum or MOST):
            raise ValueError(wanted)
        return int(text)

    return read


def seconds(text: str) -> float:
    """Read a number of seconds."""
    return _amount(text, "seconds", LONGEST)


def days(text: str) -> float:
    """Read a number of days."""
    return _amount(text, "days", LONGEST_DAYS)


def _amount(text: str, unit: str, most: int) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"a number of {unit}") from None
    if not 0 <= number <= most:
        raise ValueError(f"a number of {unit} from 0 to {most}")
    return number


def secret(text: str) -> str:
    """Read a secret."""
    if len(text) < SHORTEST_SECRET:
        raise ValueError(f"at least {SHORTEST_SECRET} characters")
    return text


def size(text: str) -> int:
    """Read a number of bytes, perhaps with a unit."""
    number, _, unit = text.strip().partition(" ")
    if not _IS_SMALL_NUMBER(number) or unit.lower() not in _SIZES or int(number) == 0:
        raise ValueError("a number of bytes, or a number with the unit KiB, MiB or GiB, such as `64 MiB`")
    return int(number) * _SIZES[unit.lower()]


def one_of(*words: str) -> Callable[[str], str]:
    """Return the function that reads one of these words."""

    def read(text: str) -> str:
        if text.strip().lower() not in words:
            raise ValueError(" or ".join(f"`{word}`" for word in words))
        return text.strip().lower()

    return read


def names(text: str) -> tuple[str, ...]:
    """Read the names of Python modules."""
    found = tuple(name.strip() for name in text.split(",") if name.strip())
    if not all(part.isidentifier() for name in found for part in name.split(".")):
        raise ValueError("names of Python modules, separated by commas")
    return found


def receivers(text: str) -> tuple[str, ...]:
    """Read networks, addresses and hosts."""
    from queue_tool.model.allowed import read_allow  # few operators set it, and it takes time to import

    return read_allow(text)
