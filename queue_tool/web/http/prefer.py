"""`Prefer: wait=30` (RFC 7240): the response waits until the task or batch has ended, so that clients need not poll."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from flask import Response, request
from werkzeug.http import parse_list_header

Found = TypeVar("Found")

LONGEST_WAIT = 60
"""Seconds; a longer preferred wait is reduced to this."""

_wait = re.compile(r'\s*wait\s*=\s*"?\s*([0-9]{1,9})\s*"?\s*(?:;.*)?', re.IGNORECASE).fullmatch


def answer_in_time(
    ask: Callable[[], Found],
    is_over: Callable[[Found], bool],
    wait: Callable[[float], bool],
    answer: Callable[[Found], Response],
) -> Response:
    """Return the response at once or, if the current request prefers to wait, when the task or batch has ended.

    Args:
        ask: reads the task or the batch.
        is_over: returns whether it has ended.
        wait: waits for its end, at most this number of seconds; returns False if no more requests may wait.
        answer: makes the response from the task or the batch.
    """
    found = ask()
    seconds = preferred_wait()
    honored = seconds is not None and (is_over(found) or wait(seconds))
    if honored and not is_over(found):
        found = ask()
    response = answer(found)
    response.headers["Vary"] = "Prefer"
    if honored:
        response.headers["Preference-Applied"] = f"wait={seconds}"
    return response


def preferred_wait() -> int | None:
    """Return the seconds that the current request prefers to wait; None if it has no valid `wait` preference.

    If there are several, the first one counts (RFC 7240, section 2).
    """
    for header in request.headers.getlist("Prefer"):
        for preference in parse_list_header(header):
            if match := _wait(preference):
                return min(int(match[1]), LONGEST_WAIT)
    return None
