"""The task type `sum_numbers`: its data is an array of numbers, and its result is their sum."""

from __future__ import annotations

import math
from collections.abc import Iterator

from queue_tool.model.retry import Abort
from queue_tool.model.task_types import make_task_type

PARTS = 2**1074
"""Every double is a whole multiple of 1 / PARTS."""


async def sum_numbers(data: list[int | float]) -> int | float:
    """Return the sum: exact if all numbers are integers, rounded once if some are floats, and 0 for an empty array."""
    floats = [number for number in data if isinstance(number, float)]
    if not floats:
        return sum(data)
    try:
        return math.fsum(floats + list(_as_floats(sum(number for number in data if isinstance(number, int)))))
    except OverflowError:
        return _sum_of_large(data)


def _as_floats(whole: int) -> Iterator[float]:
    """Split an integer into floats whose exact sum is this integer."""
    while whole:
        part = float(whole)
        yield part
        whole -= int(part)


def _sum_of_large(numbers: list[int | float]) -> float:
    """Return the sum when an intermediate sum is too large for a float, although the final sum may fit. It is slow."""
    parts = sum(above * (PARTS // below) for above, below in (number.as_integer_ratio() for number in numbers))
    try:
        return parts / PARTS
    except OverflowError:
        raise Abort("The sum is too large for a floating-point number, which holds at most about 1.8e308.") from None


SUM_NUMBERS = make_task_type(
    "sum_numbers", sum_numbers, schema={"description": "The numbers.", "type": "array", "items": {"type": "number"}}
)
