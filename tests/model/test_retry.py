"""Retry: when a failed task runs again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_tool.errors import BadTaskType
from queue_tool.model.outcome import Failed
from queue_tool.model.retry import (
    LONGEST_DELAY,
    STANDARD,
    Abort,
    Backoff,
    Retry,
    backoff_of,
    decide,
    deciding_error,
    requested_delay,
)
from queue_tool.model.states import Code
from queue_tool.model.task_types import make_task_type

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
chances = st.floats(0, 1)
attempts = st.integers(2, 100_000)


def failed(code: Code = Code.ERROR, *, final: bool = False, after: float | None = None) -> Failed:
    return Failed(code=code, error="no", final=final, after=after)


def decided(failure: Failed, attempt: int = 1, most: int = 3, backoff: Backoff = STANDARD) -> datetime | None:
    return decide(failure, attempt, most, backoff=backoff, now=NOW, chance=lambda: 0.5)


@given(chance=chances, attempt=attempts, base=st.floats(0, 1000), factor=st.floats(1, 50), cap=st.floats(0, 1e6))
def test_a_delay_is_between_0_and_the_limit_of_the_curve_and_the_cap(
    chance: float, attempt: int, base: float, factor: float, cap: float
) -> None:
    backoff = Backoff(base=base, factor=factor, cap=cap)
    most = backoff.before(attempt, 1)
    assert 0 <= backoff.before(attempt, chance) <= most <= cap
    assert backoff.before(attempt, 0) == 0
    assert backoff.before(attempt, 0.5) == pytest.approx(most / 2)


@given(attempt=attempts)
def test_the_longest_delay_never_decreases_from_one_attempt_to_the_next(attempt: int) -> None:
    assert STANDARD.before(attempt, 1) <= STANDARD.before(attempt + 1, 1) <= STANDARD.cap


def test_the_curve_grows_by_its_factor_up_to_its_cap() -> None:
    backoff = Backoff(base=3, factor=2, cap=20)
    assert [backoff.before(attempt, 1) for attempt in range(2, 7)] == [3, 6, 12, 20, 20]


@given(chance=chances)
def test_a_list_of_delays_is_used_as_given_and_its_last_one_repeats(chance: float) -> None:
    backoff = backoff_of([1, 0, 2.5])
    assert [backoff.before(attempt, chance) for attempt in range(2, 7)] == [1, 0, 2.5, 2.5, 2.5]


@pytest.mark.parametrize(
    "backoff",
    [
        [-1], ["1"], [True], [float("nan")], [float("inf")], [LONGEST_DELAY + 1], 5, Backoff(base=-1),
        Backoff(factor=0.9), Backoff(cap=float("inf")), Backoff(delays=(-1,)),
    ],
    ids=str,
)  # fmt: skip
def test_an_invalid_backoff_is_refused_when_the_type_is_declared(backoff: Any) -> None:
    with pytest.raises(BadTaskType, match=r"^The task type 'a' \(function .*\) has an invalid backoff"):
        make_task_type("a", lambda data: data, backoff=backoff)


@pytest.mark.parametrize("kinds", [["ValueError"], [ValueError()], [int]], ids=str)
def test_a_no_retry_that_is_not_an_exception_class_is_refused(kinds: Any) -> None:
    with pytest.raises(BadTaskType, match="no_retry that is not an exception class"):
        make_task_type("a", lambda data: data, no_retry=kinds)


@pytest.mark.parametrize("code", [Code.ERROR, Code.TIMEOUT, Code.UNKNOWN_TASK_TYPE])
def test_a_failure_that_may_be_temporary_is_retried_up_to_the_limit_of_attempts(code: Code) -> None:
    assert decided(failed(code)) == NOW + timedelta(seconds=2.5)
    assert decided(failed(code), attempt=2) == NOW + timedelta(seconds=5)
    assert decided(failed(code), attempt=3) is None
    assert decided(failed(code), attempt=4) is None
    assert decided(failed(code), most=1) is None


@pytest.mark.parametrize("code", sorted(set(Code) - {Code.ERROR, Code.TIMEOUT, Code.UNKNOWN_TASK_TYPE}))
def test_other_failures_are_not_retried(code: Code) -> None:
    assert decided(failed(code)) is None


def test_a_final_failure_is_not_retried() -> None:
    assert decided(failed(final=True)) is None


def test_a_function_can_choose_the_delay_but_gets_no_extra_attempts() -> None:
    assert decided(failed(after=7)) == NOW + timedelta(seconds=7)
    assert decided(failed(after=0), backoff=backoff_of([9])) == NOW
    assert decided(failed(after=7), attempt=3) is None


@pytest.mark.parametrize("after", [-1, float("nan"), float("inf"), "5", True, LONGEST_DELAY + 1])
def test_an_invalid_delay_is_refused_by_retry(after: Any) -> None:
    with pytest.raises(ValueError, match="after must be a number of seconds"):
        Retry(after=after)


# -- exception groups --------------------------------------------------------------------------------------


class Busy(Retry):
    """A Retry whose own `__init__` does not call the other one."""

    def __init__(self) -> None:
        """Say nothing."""


class Late(Retry):
    """A Retry whose delay was set to what is no delay."""

    after = "soon"  # type: ignore[assignment] # a wrong value


def group(*inside: BaseException) -> BaseException:
    return BaseExceptionGroup("several", inside)


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


PLAIN, KEY, ABORT = ValueError("plain"), KeyError("key"), Abort("give up")
SHORT, LONG, UNSAID = Retry("short", after=1), Retry("long", after=60), Retry("unsaid")


@pytest.mark.parametrize(
    ("error", "decides"),
    [
        (PLAIN, PLAIN),
        (group(ABORT), ABORT),
        (group(PLAIN, group(LONG, group(KEY, ABORT))), ABORT),
        (group(PLAIN, LONG, KEY), KEY),
        (group(SHORT, group(UNSAID, LONG), PLAIN), LONG),
        (group(PLAIN, UNSAID), UNSAID),
        (group(group(Busy(), SHORT)), SHORT),
        (group(Late(), SHORT), SHORT),
        (caused(PLAIN, ABORT), PLAIN),
        (group(caused(ValueError("other"), ABORT), SHORT), SHORT),
    ],
)
def test_the_error_that_decides_is_looked_for_inside_of_groups(error: BaseException, decides: BaseException) -> None:
    assert deciding_error(error, (KeyError,)) is decides


def test_a_group_without_such_an_error_decides_itself_and_can_be_in_no_retry() -> None:
    plain = group(PLAIN, KEY)
    assert deciding_error(plain, ()) is plain
    assert deciding_error(group(PLAIN), (BaseExceptionGroup,)) is not PLAIN


def test_a_group_that_holds_the_same_group_many_times_is_read_once() -> None:
    nested = group(PLAIN)
    for _ in range(200):
        nested = group(nested, nested)
    assert deciding_error(nested, (ValueError,)) is PLAIN


@pytest.mark.parametrize(
    ("error", "seconds"), [(LONG, 60), (UNSAID, None), (Busy(), None), (Late(), None), (PLAIN, None)]
)
def test_only_a_valid_delay_of_a_retry_counts(error: BaseException, seconds: float | None) -> None:
    assert requested_delay(error) == seconds
