"""What a task's function may know of its own run."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queue_tool.context import Context

relaxed = settings(deadline=None)


def context() -> Context:
    return Context(token="0" * 32, attempt=1, deadline=None)


def test_a_new_run_is_not_canceled() -> None:
    assert not context().canceled.is_set()


def test_two_runs_are_not_canceled_together() -> None:
    first, second = context(), context()
    first.canceled.set()
    assert not second.canceled.is_set()


@relaxed
@given(st.floats(0, 1) | st.integers(0, 1), st.text())
def test_progress_from_0_to_1_is_kept_and_the_last_one_counts(done: float, note: str) -> None:
    run = context()
    run.progress(0.5, "before")
    run.progress(done, note)
    assert run._notes == [(done, note)]


@pytest.mark.parametrize("done", [-0.001, 1.001, 100, math.nan, math.inf, -math.inf])
def test_other_progress_is_refused_and_changes_nothing(done: float) -> None:
    run = context()
    run.progress(0.5, "half")
    with pytest.raises(ValueError, match="from 0 to 1"):
        run.progress(done)
    assert run._notes == [(0.5, "half")]


def test_lines_of_the_log_keep_their_order() -> None:
    first, second = context(), context()
    for line in ("a", "b", "a"):
        first.log(line)
    assert first._lines == ["a", "b", "a"]
    assert second._lines == []


def test_a_function_cannot_change_its_token() -> None:
    with pytest.raises(FrozenInstanceError):
        context().token = "1" * 32  # type: ignore[misc]
