"""`Prefer: wait=30` (RFC 7240): the response waits until the task or batch has ended, so that clients need not poll."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import request
from msgspec import Struct
from werkzeug.http import parse_list_header

from queue_tool.model.task import Status
from queue_tool.services.wait import OnLeave
from queue_tool.web.http import transport
from queue_tool.web.http.answers import runtime
from queue_tool.web.http.headers import LONGEST
from queue_tool.web.http.operation import Reply

Found = TypeVar("Found")
Body = TypeVar("Body", bound=Struct)

LONGEST_WAIT = 60
"""Seconds; a longer preferred wait is reduced to this."""

MOST_DIGITS = 9


def answer_in_time(
    ask: Callable[[], Found],
    is_over: Callable[[Found], bool],
    wait: Callable[[float, OnLeave | None], bool],
    answer: Callable[[Found], Body],
) -> Reply[Body]:
    """Return the answer at once or, if the current request prefers to wait, when the task or batch has ended.

    Args:
        ask: reads the task or the batch.
        is_over: returns whether it has ended.
        wait: waits for its end, at most this number of seconds, or until the client leaves; returns False if no more
            requests may wait.
        answer: makes the body of the answer from the task or the batch.
    """
    found = ask()
    seconds = preferred_wait()
    honored = seconds is not None and (is_over(found) or wait(seconds, transport.on_leave()))
    if honored and not is_over(found):
        found = ask()
    applied = {"Preference-Applied": f"wait={seconds}"} if honored else {}
    return Reply(body=answer(found), headers={"Vary": "Prefer"} | applied)


def task_in_time(token: str, answer: Callable[[Status], Body]) -> Reply[Body]:
    """Return the answer about a task at once or, if the current request prefers to wait, when the task has ended.

    Raises:
        TaskNotFound: the token is unknown.
    """
    system = runtime()
    return answer_in_time(
        ask=lambda: system.ask.task(token),
        is_over=lambda task: task.state.ended,
        wait=lambda seconds, on_leave: system.wait.task(token, seconds, on_leave),
        answer=answer,
    )


def preferred_wait() -> int | None:
    """Return the seconds that the current request prefers to wait; None if it has no valid `wait` preference.

    If there are several, the first one counts (RFC 7240, section 2). A header longer than 64 characters is ignored.
    """
    for header in request.headers.getlist("Prefer"):
        if len(header) > LONGEST["Prefer"]:
            continue
        for preference in parse_list_header(header):
            seconds = _wait(preference)
            if seconds is not None:
                return min(seconds, LONGEST_WAIT)
    return None


def _wait(preference: str) -> int | None:
    """Return the seconds of a preference; None if it is not a valid `wait`. Each step reads the text once."""
    name, _, rest = preference.partition("=")
    digits = rest.partition(";")[0].strip().strip('"').strip()
    is_number = digits.isascii() and digits.isdecimal() and len(digits) <= MOST_DIGITS
    return int(digits) if is_number and name.strip().lower() == "wait" else None
