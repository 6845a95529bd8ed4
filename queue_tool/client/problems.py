"""Error answers: the classes that the service itself raises, with their code and the id of the request."""

from __future__ import annotations

import msgspec

from queue_tool.client.calls import Answer
from queue_tool.errors import BY_CODE, BadTask, MalformedJson, QueueToolError, UnexpectedAnswer, WrongStart
from queue_tool.model import json_text
from queue_tool.model.payloads.service import Problem
from queue_tool.model.typed import convert

SHOWN = 80
"""The most characters of an unknown text that a sentence quotes."""

REDIRECTS = range(300, 400)


def error_of(answer: Answer) -> QueueToolError:
    """Return the error that an answer reports."""
    retry_after = _seconds(answer.headers.get("retry-after", ""))
    try:
        problem = convert(json_text.loads(answer.body), Problem)
    except (MalformedJson, msgspec.ValidationError):
        return UnexpectedAnswer.because(answer.status, _about(answer), retry_after=retry_after)
    error = _made(problem, answer.status, retry_after)
    error.request_id = problem.request_id
    return error


def _made(problem: Problem, status: int, retry_after: int | None) -> QueueToolError:
    kind = BY_CODE.get(problem.code)
    if kind is None:  # the service is newer than this client
        sentence = f"{problem.message} (The code of this error is {problem.code[:SHOWN]}.)"
        return UnexpectedAnswer.because(status, sentence, retry_after=retry_after)
    error = kind(problem.message, retry_after=retry_after)
    if isinstance(error, BadTask) and problem.errors:
        error.errors = [{"path": reason.path, "message": reason.message} for reason in problem.errors]
    if isinstance(error, WrongStart) and isinstance(problem.total, int):
        error.total = problem.total
    return error


def _about(answer: Answer) -> str:
    if answer.status in REDIRECTS:
        return f"The service redirects to {answer.headers.get('location', '')[:SHOWN]!r}: use its own URL instead."
    return (
        f"The answer has the status {answer.status} and no error of Queue Tool. "
        "Check the URL, and what a proxy in front of the service does."
    )


def _seconds(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 6 else None  # noqa: PLR2004 - about ten days
