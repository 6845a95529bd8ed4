"""How an error is written: its text and its traceback, each with bounds of its own.

A long message never displaces the frames, and a long traceback never displaces the message. The last frames are kept,
because they show where the error occurred.
"""

from __future__ import annotations

import textwrap
import traceback
from collections.abc import Iterator
from itertools import pairwise
from traceback import StackSummary, TracebackException

from queue_tool.model.bounded_text import described, encodable, keepable
from queue_tool.model.retry import Abort, Retry

LONGEST_ERROR = 2000
"""The maximum number of characters kept of an error's text."""

LONGEST_TRACEBACK = 10_000
"""The maximum number of characters kept of a traceback."""

MOST_FRAMES = 50
"""The maximum number of frames kept of each error in a traceback: the last ones."""

LONGEST_LINE = 300
"""The maximum number of characters kept of a line of a frame, or of the source line of a SyntaxError."""

MOST_MEMBERS = 5
"""The maximum number of errors of an exception group that a traceback shows: the first ones."""

LEAST_ROOM = 400
"""Characters without which an earlier error, or an error of a group, is left out."""

LEFT_OUT = "  … (left out)\n"

CAUSED = "\nThe above exception was the direct cause of the following exception:\n\n"
FOLLOWED = "\nDuring handling of the above exception, another exception occurred:\n\n"


def error_text(error: BaseException) -> str:
    """Return type and text of an error. Of `Abort` and `Retry` return only the text that the user gave."""
    try:
        text = _message(TracebackException(type(error), error, None, compact=True), LONGEST_ERROR).strip()
        if type(error) in (Abort, Retry):
            name = f"{type(error).__module__}.{type(error).__qualname__}"
            text = type(error).__name__ if text == name else text.removeprefix(f"{name}: ")
    except Exception:  # noqa: BLE001 - the error is the user's, and any of its attributes may fail
        text = described(error, LONGEST_ERROR)
    return keepable(text, LONGEST_ERROR)


def traceback_text(error: BaseException) -> str:
    """Return the traceback of an error, with its causes and, for a group, its first errors."""
    try:
        kind, frames = type(error), error.__traceback__
        text = _written(TracebackException(kind, error, frames, limit=-MOST_FRAMES, compact=True), LONGEST_TRACEBACK)
    except Exception:  # noqa: BLE001 - see above
        stack = traceback.extract_tb(error.__traceback__, -MOST_FRAMES)
        text = f"{_frames(stack, LONGEST_TRACEBACK - LONGEST_ERROR)}{described(error, LONGEST_ERROR)}\n"
    return encodable(text if len(text) <= LONGEST_TRACEBACK else f"{text[: LONGEST_TRACEBACK - 1]}…")


def _written(failure: TracebackException, room: int) -> str:
    """Return an error and, before it, as many of the errors that led to it as there is room for."""
    chain = list(_chain(failure))
    text = _block(failure, room if len(chain) == 1 else room * 2 // 3)
    for later, earlier in pairwise(chain):
        joint = CAUSED if later.__cause__ is not None else FOLLOWED
        left = room - len(text) - len(joint)
        if left < LEAST_ROOM:
            return f"{LEFT_OUT}{joint}{text}"
        text = f"{_block(earlier, left)}{joint}{text}"
    return text


def _chain(failure: TracebackException | None) -> Iterator[TracebackException]:
    """Yield an error and the errors that led to it, the latest first."""
    while failure is not None:
        yield failure
        hidden = failure.__suppress_context__
        failure = failure.__cause__ if failure.__cause__ is not None else None if hidden else failure.__context__


def _block(failure: TracebackException, room: int) -> str:
    """Return the frames and the message of one error, and the errors of a group, in about this many characters."""
    message = _message(failure, min(LONGEST_ERROR, room // 2))
    left = room - len(message)
    frames = _frames(failure.stack, left // 2 if failure.exceptions else left)
    return f"{frames}{message}{_members(failure.exceptions or [], left - len(frames))}"


def _message(failure: TracebackException, longest: int) -> str:
    """Return type and text of an error. A SyntaxError has the place and the source line before them."""
    parts = [_cut(part, LONGEST_LINE if part.startswith(" ") else longest) for part in failure.format_exception_only()]
    return _cut("".join(parts), longest)


def _frames(stack: StackSummary, room: int) -> str:
    """Return the last frames that fit, and at least the very last one."""
    kept: list[str] = []
    frames = stack.format()
    for frame in reversed(frames):
        lines = "".join(f"{_cut(line, LONGEST_LINE)}\n" for line in frame.splitlines())
        if kept and len(lines) > room:
            break
        kept.append(lines)
        room -= len(lines)
    dropped = LEFT_OUT if len(kept) < len(frames) or len(stack) == MOST_FRAMES else ""
    return f"Traceback (most recent call last):\n{dropped}{''.join(reversed(kept))}" if kept else ""


def _members(members: list[TracebackException], room: int) -> str:
    """Return the first errors of a group, indented."""
    shown = members[:MOST_MEMBERS]
    text = ""
    for number, member in enumerate(shown):
        share = (room - len(text)) // (len(shown) - number)
        if share < LEAST_ROOM:
            return text + LEFT_OUT
        written = _written(member, share * 4 // 5)  # the rest is for the indentation
        text += f"  +- {number + 1} of {len(members)}\n{textwrap.indent(written, '  | ', lambda _: True)}"
    return text + (LEFT_OUT if len(members) > len(shown) else "")


def _cut(text: str, longest: int) -> str:
    """Return the beginning of a text; a line end at its end is kept."""
    return text if len(text) <= longest else f"{text[: max(0, longest - 1)]}…" + "\n" * text.endswith("\n")
