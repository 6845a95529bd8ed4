"""The task type `sum_numbers`: its data is the array itself."""

from __future__ import annotations

import math
from collections.abc import Iterator

from queue_tool.model.retry import Abort
from queue_tool.model.task_types import make_task_type

PARTS = 2**1074
"""Into so many parts 1 is cut, every double is a whole number of them."""


async def sum_numbers(data: list[int | float]) -> int | float:
    """Return the sum, exact for integers and rounded once for others; of no numbers it is 0."""
    floats = [number for number in data if isinstance(number, float)]
    if not floats:
        return sum(data)
    try:
        return math.fsum(floats + list(_as_floats(sum(number for number in data if isinstance(number, int)))))
    except OverflowError:
        return _sum_of_large(data)


def _as_floats(whole: int) -> Iterator[float]:
    """Split an integer into floats that together are exactly as much."""
    while whole:
        part = float(whole)
        yield part
        whole -= int(part)


def _sum_of_large(numbers: list[int | float]) -> float:
    """Do the same where a sum on the way is too large, though the last one may not be; this takes a while."""
    parts = sum(above * (PARTS // below) for above, below in (number.as_integer_ratio() for number in numbers))
    try:
        return parts / PARTS
    except OverflowError:
        raise Abort("The sum is beyond what a floating-point number can hold, which is about 1.8e308.") from None


SUM_NUMBERS = make_task_type(
    "sum_numbers", sum_numbers, schema={"description": "The numbers.", "type": "array", "items": {"type": "number"}}
)
