"""Many values, where a caller passed a single one by mistake. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from queue_tool.errors import NotSent

Source = TypeVar("Source")


def require_many(values: Source, what: str) -> Source:
    """Return the values.

    Args:
        values: anything that can be iterated over.
        what: what they are, in the plural.

    Raises:
        NotSent: this is a single value that Python could iterate over: a text, bytes, or a mapping.
    """
    if isinstance(values, str | bytes | Mapping):
        raise NotSent(f"Pass {what} in a list or another iterable. This is a single {type(values).__name__}.")
    return values
