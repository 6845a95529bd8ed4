"""The text of an error: message, frames, causes and groups have bounds of their own, and the last frames are kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from queue_tool import Abort, Retry
from queue_tool.execution.failure_text import LONGEST_ERROR, LONGEST_TRACEBACK, MOST_FRAMES, error_text, traceback_text

LONG = 20_000


def raised_by(function: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any error is meant
        function()
    return caught.value


def last_frame(error: BaseException | None = None) -> None:
    raise error or ValueError("x" * LONG)


def chained() -> None:
    try:
        last_frame()
    except ValueError as error:
        raise KeyError("k" * LONG) from error


def chained_often(depth: int = 40) -> None:
    try:
        chained_often(depth - 1) if depth else last_frame()
    except (ValueError, OSError):
        last_frame(OSError("o" * LONG))


def grouped() -> None:
    members: list[Exception] = [
        raised_by(chained),
        ExceptionGroup("inner", [KeyError("deep")]),
        *[OSError(str(n)) for n in range(20)],
    ]
    last_frame(ExceptionGroup("many" * LONG, members))


def recursive() -> None:
    recursive()


def misspelled() -> None:
    compile(f"x = (1 2){'+y' * LONG}", "a.py", "exec")


class Silent(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Broken(Exception):
    @property
    def __cause__(self) -> None:  # type: ignore[override] # it fails on purpose
        raise RuntimeError("no cause")


@pytest.mark.parametrize(
    ("function", "words", "frame"),
    [
        (last_frame, f"ValueError: {'x' * 1000}", "in last_frame"),
        (lambda: last_frame(ValueError("\n".join("y" * LONG))), "ValueError: y\ny\n", "in last_frame"),
        (chained, f"KeyError: '{'k' * 1000}", "in chained"),
        (chained_often, f"OSError: {'o' * 1000}", "in last_frame"),
        (grouped, "ExceptionGroup: many", "in last_frame"),
        (recursive, "RecursionError: maximum", "in recursive"),
        (misspelled, "SyntaxError: invalid syntax", "in misspelled"),
        (lambda: last_frame(Silent()), "Silent: <exception str() failed>", "in last_frame"),
        (lambda: last_frame(Broken("a cause")), "Broken: a cause", "in last_frame"),
    ],
)
def test_the_message_and_the_last_frames_are_kept(function: Callable[[], None], words: str, frame: str) -> None:
    error = raised_by(function)
    text, trace = error_text(error), traceback_text(error)
    assert words in text
    assert len(text) <= LONGEST_ERROR
    assert len(trace) <= LONGEST_TRACEBACK
    assert words[:500] in trace
    assert frame in trace
    assert trace.index(frame) < trace.rindex(words[:20])
    assert trace.startswith(("Traceback (most recent call last):\n", "  … (left out)\n"))


def test_a_traceback_has_the_frames_of_the_causes_and_of_the_errors_of_a_group() -> None:
    assert "ValueError: xxx" in traceback_text(raised_by(chained))
    assert "The above exception was the direct cause" in traceback_text(raised_by(chained))
    assert "During handling of the above exception" in traceback_text(raised_by(chained_often))
    trace = traceback_text(raised_by(grouped))
    assert "  | KeyError: 'kkk" in trace
    assert "  |   | KeyError: 'deep'" in trace
    assert "+- 5 of 22" in trace
    assert "+- 6 of 22" not in trace
    assert traceback_text(raised_by(recursive)).count("in recursive") <= MOST_FRAMES


def test_the_text_of_abort_and_retry_is_the_users() -> None:
    class Mine(Abort):
        pass

    noted = Retry("later")
    noted.add_note("and a note")
    errors = [Abort("nothing to fetch"), Abort(), noted, Mine("why"), KeyError("k"), Abort("queue_tool: no")]
    assert [error_text(error).rpartition(".<locals>.")[2] for error in errors] == [
        "nothing to fetch", "Abort", "later\nand a note", "Mine: why", "KeyError: 'k'", "queue_tool: no"
    ]  # fmt: skip
