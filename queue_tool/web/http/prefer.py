"""`Prefer: wait=30` (RFC 7240): the client would rather wait for the end than ask again and again."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from flask import Response, request
from werkzeug.http import parse_list_header

Found = TypeVar("Found")

LONGEST_WAIT = 60
"""Seconds; who prefers more gets these."""

_wait = re.compile(r'\s*wait\s*=\s*"?\s*([0-9]{1,9})\s*"?\s*(?:;.*)?', re.IGNORECASE).fullmatch


def answer_in_time(
    ask: Callable[[], Found],
    is_over: Callable[[Found], bool],
    wait: Callable[[float], bool],
    answer: Callable[[Found], Response],
) -> Response:
    """Answer at once, or at the end of what is asked for where the current request would rather wait for it.

    Args:
        ask: returns how it stands.
        is_over: whether it has ended.
        wait: waits for the end, at most so many seconds; False if that is not to be had.
        answer: makes the response from what was found.
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
    """Return the seconds that the current request would rather wait; None where it says nothing that can be read.

    Of several the first one counts (RFC 7240, section 2).
    """
    for header in request.headers.getlist("Prefer"):
        for preference in parse_list_header(header):
            if match := _wait(preference):
                return min(int(match[1]), LONGEST_WAIT)
    return None
