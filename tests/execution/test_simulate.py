"""The task type `simulate`: how long it takes, when it fails, and that both can be told beforehand."""

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
from queue_tool.model.context import Context
from queue_tool.model.outcome import Ended, Failed, Returned
from queue_tool.model.states import Code

relaxed = settings(deadline=None)
SIMULATE = simulate_type()


def context_of(number: int = 0, attempt: int = 1) -> Context:
    return Context(token=f"{number:032x}", attempt=attempt, deadline=None)


def ended(data: object, context: Context | None = None) -> Ended:
    return asyncio.run(execute_on_loop(SIMULATE, data, context or context_of()))


# -- its data ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [None, {}, {"min": 0}, {"max": 86400}, {"min": 1, "max": 1.5, "failure": 1}, {"failure": 0}, {"name": "mine"}],
    ids=str,
)
def test_everything_may_be_left_out_and_what_it_does_not_know_is_ignored(data: object) -> None:
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
def test_what_cannot_be_meant_is_refused(data: object, path: str) -> None:
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
def test_a_bound_that_is_not_said_gives_way_to_the_one_that_is(data: Any, expected: tuple[float, float]) -> None:
    assert bounds(data) == expected
    assert SIMULATE.timeout_of(data, 3600.0) == expected[1] + 60


def test_bounds_that_exclude_each_other_are_a_failure_in_words_that_no_other_attempt_can_mend() -> None:
    failed = ended({"min": 3, "max": 2.5})
    assert isinstance(failed, Failed)
    assert (failed.code, failed.final) == (Code.ABORTED, True)
    assert failed.error.endswith("`min` is 3 and `max` is 2.5: `min` must not be more than `max`.")


# -- chance ------------------------------------------------------------------------------------------------


@relaxed
@given(st.integers(0, 2**128 - 1), st.integers(1, 100), st.sampled_from(["seconds", "failure"]))
def test_what_is_drawn_is_a_share_and_always_the_same(number: int, attempt: int, purpose: str) -> None:
    first = random_number(context_of(number, attempt), purpose)
    assert 0 <= first < 1
    assert random_number(context_of(number, attempt), purpose) == first


def test_what_is_drawn_does_not_change_from_one_version_or_machine_to_the_next() -> None:
    assert random_number(context_of(), "seconds") == 0.9919486237847465


def test_attempts_and_purposes_draw_apart_and_tasks_evenly() -> None:
    assert random_number(context_of(attempt=1), "failure") != random_number(context_of(attempt=2), "failure")
    assert random_number(context_of(), "seconds") != random_number(context_of(), "failure")
    shares = [random_number(context_of(number), "failure") for number in range(2000)]
    assert math.isclose(sum(share < 0.1 for share in shares) / 2000, 0.1, abs_tol=0.02)


def test_a_task_fails_as_often_as_was_said_and_its_next_attempt_may_succeed() -> None:
    data = {"min": 0, "max": 0, "failure": 0.5}
    ends = [[ended(data, context_of(number, attempt)) for attempt in (1, 2)] for number in range(30)]
    kinds = {(type(first), type(second)) for first, second in ends}
    assert kinds == {(a, b) for a in (Failed, Returned) for b in (Failed, Returned)}


@pytest.mark.parametrize(("failure", "kind"), [(0, Returned), (1, Failed)])
def test_never_and_always_are_what_they_say(failure: float, kind: type[Ended]) -> None:
    data = {"min": 0, "max": 0, "failure": failure}
    assert {type(ended(data, context_of(number))) for number in range(20)} == {kind}


def test_a_failure_says_that_it_is_none() -> None:
    failed = ended({"min": 0, "max": 0, "failure": 1})
    assert isinstance(failed, Failed)
    assert (failed.code, failed.final) == (Code.ERROR, False)
    assert failed.error == "RuntimeError: Simulated failure: 100% of the attempts fail on purpose."


# -- time --------------------------------------------------------------------------------------------------


def test_it_takes_the_time_that_it_says_between_its_bounds() -> None:
    began = time.monotonic()
    found = ended({"min": 0.02, "max": 0.04, "failure": 0})
    took = time.monotonic() - began
    assert isinstance(found, Returned)
    result: Any = json_text.loads(found.result)
    assert 0.02 <= result["seconds"] <= 0.04
    assert result["seconds"] <= took + 0.001  # a loop's clock has a grain


def test_it_says_how_far_it_is() -> None:
    progress: list[float | None] = []
    context = replace(context_of(), on_news=lambda running: progress.append(running.take_notes().progress))
    ended({"min": 0, "max": 0, "failure": 0}, context)
    assert progress == [1.0]


def test_one_that_nobody_waits_for_any_more_returns_without_failing_or_news() -> None:
    context = context_of()
    context.canceled.set()
    assert ended({"min": 0.01, "max": 0.01, "failure": 1}, context) == Returned(result="null")
    assert context.take_notes().progress is None


def test_it_can_be_canceled_where_it_waits() -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(simulate({"min": 1000, "max": 1000}, context_of()), 0.01))
