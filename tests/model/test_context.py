"""The context of a run: what a task's function reads and reports."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queue_tool.model.context import LONGEST_LINE, MOST_LINES, Context, Notes

relaxed = settings(deadline=None)


def context() -> Context:
    return Context(token="0" * 32, attempt=1, deadline=None)


def test_a_new_run_is_not_canceled() -> None:
    assert not context().canceled.is_set()


def test_canceling_a_run_does_not_cancel_another() -> None:
    first, second = context(), context()
    first.canceled.set()
    assert not second.canceled.is_set()


@relaxed
@given(st.floats(0, 1) | st.integers(0, 1), st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=50))
def test_progress_from_0_to_1_is_kept_and_the_latest_value_wins(done: float, note: str) -> None:
    run = context()
    run.progress(0.5, "before")
    run.progress(done, note)
    assert run.take_notes() == Notes(progress=done, note=note, lines=())
    assert run.take_notes() == Notes(progress=None, note="", lines=())


@pytest.mark.parametrize("done", [-0.001, 1.001, 100, math.nan, math.inf, -math.inf])
def test_other_progress_is_refused_and_changes_nothing(done: float) -> None:
    run = context()
    run.progress(0.5, "half")
    with pytest.raises(ValueError, match="from 0 to 1"):
        run.progress(done)
    assert run.take_notes().progress == 0.5


def test_log_lines_keep_their_order() -> None:
    first, second = context(), context()
    for line in ("a", "b", "a"):
        first.log(line)
    assert first.take_notes().lines == ("a", "b", "a")
    assert first.take_notes().lines == ()
    assert second.take_notes().lines == ()


def test_a_log_keeps_only_its_last_lines_and_cuts_long_ones() -> None:
    run = context()
    for number in range(MOST_LINES + 5):
        run.log(f"{number} " + "x" * LONGEST_LINE)
    lines = run.take_notes().lines
    assert [line.partition(" ")[0] for line in lines] == [str(number) for number in range(5, MOST_LINES + 5)]
    assert {len(line) for line in lines} == {LONGEST_LINE}


def test_characters_that_no_database_stores_are_escaped() -> None:
    run = context()
    run.log("a\0b\ud800")
    assert run.take_notes().lines == ("a\\x00b\\ud800",)


def test_progress_and_log_lines_notify_the_listener() -> None:
    notified: list[Context] = []
    run = Context(token="0" * 32, attempt=1, deadline=None, on_news=notified.append)
    run.progress(0.5)
    run.log("half")
    assert notified == [run, run]


def test_a_function_cannot_change_its_token() -> None:
    with pytest.raises(FrozenInstanceError):
        context().token = "1" * 32  # type: ignore[misc] # it is frozen
