"""The task type `simulate`: how long it takes and when it fails, both reproducible."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queue_tool.execution.builtin.simulate import bounds, random_number, simulate, simulate_type
from queue_tool.execution.call import execute_on_loop
from queue_tool.model import json_text
from queue_tool.model.context import Context, Notes
from queue_tool.model.outcome import Ended, Failed, Returned
from queue_tool.model.states import Code

relaxed = settings(deadline=None)
SIMULATE = simulate_type()


def context_of(number: int = 0, attempt: int = 1) -> Context:
    return Context(token=f"{number:032x}", attempt=attempt, deadline=None)


def ended(data: object, context: Context | None = None) -> Ended:
    return asyncio.run(execute_on_loop(SIMULATE, data, lambda: context or context_of()))


# -- data --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [None, {}, {"min": 0}, {"max": 86400}, {"min": 1, "max": 1.5, "failure": 1}, {"failure": 0}, {"name": "mine"}],
    ids=str,
)
def test_every_key_is_optional_and_unknown_keys_are_ignored(data: object) -> None:
    assert SIMULATE.schema.accepts(data)


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ("5", ""),
        ([5, 10], ""),
        ({"min": -1}, "/min"),
        ({"min": "5"}, "/min"),
        ({"max": 86401}, "/max"),
        ({"max": None}, "/max"),
        ({"failure": 1.01}, "/failure"),
        ({"failure": True}, "/failure"),
    ],
    ids=str,
)
def test_invalid_data_is_refused(data: object, path: str) -> None:
    assert [error.path for error in SIMULATE.schema.errors(data)] == [path]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, (5, 10)),
        ({}, (5, 10)),
        ({"min": 2, "max": 3}, (2, 3)),
        ({"min": 7}, (7, 10)),
        ({"min": 60}, (60, 60)),
        ({"max": 7}, (5, 7)),
        ({"max": 1}, (1, 1)),
    ],
    ids=str,
)
def test_a_default_bound_is_adjusted_to_a_given_bound(data: Any, expected: tuple[float, float]) -> None:
    assert bounds(data) == expected
    assert SIMULATE.timeout_of(data, 3600.0) == expected[1] + 60


def test_bounds_that_exclude_each_other_are_a_final_failure() -> None:
    failed = ended({"min": 3, "max": 2.5})
    assert isinstance(failed, Failed)
    assert (failed.code, failed.final) == (Code.ABORTED, True)
    assert failed.error.endswith("`min` is 3 and `max` is 2.5: `min` must not be more than `max`.")


# -- chance ------------------------------------------------------------------------------------------------


@relaxed
@given(st.integers(0, 2**128 - 1), st.integers(1, 100), st.sampled_from(["seconds", "failure"]))
def test_a_drawn_number_is_from_0_to_1_and_always_the_same(number: int, attempt: int, purpose: str) -> None:
    first = random_number(context_of(number, attempt), purpose)
    assert 0 <= first < 1
    assert random_number(context_of(number, attempt), purpose) == first


def test_a_drawn_number_is_the_same_on_every_version_and_machine() -> None:
    assert random_number(context_of(), "seconds") == 0.9919486237847465


def test_draws_differ_by_attempt_and_purpose_and_are_even_over_tasks() -> None:
    assert random_number(context_of(attempt=1), "failure") != random_number(context_of(attempt=2), "failure")
    assert random_number(context_of(), "seconds") != random_number(context_of(), "failure")
    shares = [random_number(context_of(number), "failure") for number in range(2000)]
    assert math.isclose(sum(share < 0.1 for share in shares) / 2000, 0.1, abs_tol=0.02)


def test_a_task_can_fail_or_succeed_in_each_attempt() -> None:
    data = {"min": 0, "max": 0, "failure": 0.5}
    ends = [[ended(data, context_of(number, attempt)) for attempt in (1, 2)] for number in range(30)]
    kinds = {(type(first), type(second)) for first, second in ends}
    assert kinds == {(a, b) for a in (Failed, Returned) for b in (Failed, Returned)}


@pytest.mark.parametrize(("failure", "kind"), [(0, Returned), (1, Failed)])
def test_a_failure_rate_of_0_never_fails_and_of_1_always_fails(failure: float, kind: type[Ended]) -> None:
    data = {"min": 0, "max": 0, "failure": failure}
    assert {type(ended(data, context_of(number))) for number in range(20)} == {kind}


def test_the_error_says_that_the_failure_is_simulated() -> None:
    failed = ended({"min": 0, "max": 0, "failure": 1})
    assert isinstance(failed, Failed)
    assert (failed.code, failed.final) == (Code.ERROR, False)
    assert failed.error == "RuntimeError: Simulated failure: 100% of the attempts fail on purpose."


# -- time --------------------------------------------------------------------------------------------------


def test_simulate_takes_the_time_that_it_returns() -> None:
    began = time.monotonic()
    found = ended({"min": 0.02, "max": 0.04, "failure": 0})
    took = time.monotonic() - began
    assert isinstance(found, Returned)
    result: Any = json_text.loads(found.result)
    assert 0.02 <= result["seconds"] <= 0.04
    assert result["seconds"] <= took + 0.001  # the clock of the loop has a limited resolution


def test_simulate_reports_progress() -> None:
    found: list[Notes] = []
    context = replace(context_of(), on_news=lambda running: found.append(running.take_notes()))
    ended({"min": 0, "max": 0, "failure": 0}, context)
    assert [notes.progress for notes in found if notes.progress is not None] == [1.0]


@pytest.mark.parametrize(("failure", "last"), [(0, "Ended."), (1, "Fails on purpose.")])
def test_simulate_logs_how_long_it_takes_and_how_it_ends(failure: float, last: str) -> None:
    context = context_of()
    ended({"min": 0.01, "max": 0.01, "failure": failure}, context)
    assert context.take_notes().lines == ("Started: this run takes 0.01 seconds.", last)


def test_a_canceled_run_returns_without_a_failure_and_without_progress() -> None:
    context = context_of()
    context.canceled.set()
    assert ended({"min": 0.01, "max": 0.01, "failure": 1}, context) == Returned(result="null")
    assert context.take_notes().progress is None


def test_simulate_can_be_canceled_while_it_waits() -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(simulate({"min": 1000, "max": 1000}, context_of()), 0.01))
