"""The task type `sum_numbers`: exact for integers, rounded once for floats, a failure if the sum is too large."""

from __future__ import annotations

import asyncio
import sys
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from queue_tool.execution.builtin.numbers import SUM_NUMBERS
from queue_tool.execution.call import execute_on_loop
from queue_tool.model.context import Context
from queue_tool.model.outcome import Ended, Failed, Returned
from queue_tool.model.states import Code

relaxed = settings(deadline=None)
LARGEST = sys.float_info.max
SMALLEST = 5e-324


def ended(numbers: list[int | float]) -> Ended:
    context = Context(token="0" * 32, attempt=1, deadline=None)
    return asyncio.run(execute_on_loop(SUM_NUMBERS, numbers, lambda: context))


@pytest.mark.parametrize(
    ("numbers", "result"),
    [
        ([], "0"),
        ([7], "7"),
        ([1, 2, 3], "6"),
        ([1, 2.5], "3.5"),
        ([1.0, 2.0], "3.0"),
        ([0.1] * 10, "1.0"),
        ([1e100, 1.0, -1e100], "1.0"),
        ([2**64 - 1, 2**64 - 1], str(2**65 - 2)),
        ([2**53 + 1, 0.0, -(2**53)], "1.0"),
        ([LARGEST, LARGEST, -LARGEST, SMALLEST, -LARGEST], str(SMALLEST)),
    ],
    ids=str,
)
def test_the_sum_is_exact_and_of_integers_an_integer(numbers: list[int | float], result: str) -> None:
    assert SUM_NUMBERS.schema.accepts(numbers)
    assert ended(numbers) == Returned(result=result)


@pytest.mark.parametrize(
    ("data", "path"),
    [(None, ""), (1, ""), ("12", ""), ({"numbers": [1]}, ""), ([1, "2"], "/1"), ([True], "/0"), ([[1]], "/0")],
    ids=str,
)
def test_the_data_must_be_an_array_of_numbers(data: object, path: str) -> None:
    assert [error.path for error in SUM_NUMBERS.schema.errors(data)] == [path]


@pytest.mark.parametrize("numbers", [[LARGEST, LARGEST], [-LARGEST, -1e300], [LARGEST, *[2**64 - 1] * 3, 1e292]])
def test_a_sum_that_is_too_large_for_a_float_is_a_final_failure(numbers: list[int | float]) -> None:
    failed = ended(numbers)
    assert isinstance(failed, Failed)
    assert (failed.code, failed.final) == (Code.ABORTED, True)
    assert failed.error.endswith("The sum is too large for a floating-point number, which holds at most about 1.8e308.")


whole = st.integers(-(2**63), 2**64 - 1)
doubles = st.floats(allow_nan=False, allow_infinity=False)


@relaxed
@given(st.lists(whole))
def test_integers_are_summed_as_integers(numbers: list[int | float]) -> None:
    assert ended(numbers) == Returned(result=str(sum(numbers)))


@relaxed
@given(st.lists(whole | doubles | st.sampled_from([LARGEST, -LARGEST, SMALLEST])))
@example([1e16, 1.0, 1e-16])
def test_with_floats_the_exact_sum_is_rounded_once(numbers: list[int | float]) -> None:
    numbers = [*numbers, 0.0]
    try:
        expected: Ended | None = Returned(result=repr(float(sum(map(Fraction, numbers)))))
    except OverflowError:
        expected = None
    assert ended(numbers) == expected if expected else isinstance(ended(numbers), Failed)
