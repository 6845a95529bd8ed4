"""The context of a run: what a task's function reads and reports."""

from __future__ import annotations

import math
import threading
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queue_tool.model.context import LONGEST_LINE, Context, Notes, take_note
from queue_tool.model.outcome import MOST_LINES, Note

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


def test_no_line_is_lost_while_another_thread_takes_them() -> None:
    run, taken = context(), list[str]()
    has_room = threading.Semaphore(MOST_LINES)
    expected = [str(number) for number in range(20 * MOST_LINES)]

    def log_all() -> None:
        for line in expected:
            has_room.acquire()
            run.log(line)

    logging = threading.Thread(target=log_all)
    logging.start()
    while logging.is_alive() or len(taken) < len(expected):
        lines = run.take_notes().lines
        taken += lines
        has_room.release(len(lines)) if lines else None
    assert taken == expected
    assert run.take_notes().logged == len(expected)


def test_the_notes_of_a_run_are_one_note_until_the_store_has_them() -> None:
    run = context()
    assert take_note(run) is None
    run.progress(0.5, "half")
    run.log("first")
    earlier = take_note(run)
    for number in range(MOST_LINES - 1):
        run.log(str(number))
    later = take_note(run)
    assert earlier is not None
    assert later is not None
    both = earlier.followed_by(later)
    assert (both.progress, both.note, both.logged) == (0.5, "half", MOST_LINES)
    assert both.lines == ("first", *(str(number) for number in range(MOST_LINES - 1)))
    run.progress(0.75, "")
    run.log("last")
    latest = take_note(run)
    assert latest is not None
    assert both.followed_by(latest) == Note(
        token="0" * 32, run=1, progress=0.75, note="", lines=(*both.lines[1:], "last"), logged=MOST_LINES + 1
    )


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
