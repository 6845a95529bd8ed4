"""Values on the wire: elements become JSON, answers become the structs that the service makes its answers from."""

from __future__ import annotations

import json
from types import UnionType
from typing import Any, get_args

import msgspec

from queue_tool.client.calls import Answer
from queue_tool.errors import MalformedJson, NotSent, UnexpectedAnswer
from queue_tool.model import json_text
from queue_tool.model.typed import convert


def json_of(value: object) -> bytes:
    """Return the JSON text of what the caller sends. Times, UUIDs and enumerations become strings.

    Raises:
        NotSent: JSON cannot represent the value. NaN and Infinity are such values.
    """
    try:
        text = json_text.dumps(value)
        if b"null" in text:  # only then it may have been NaN or Infinity
            json.dumps(value, allow_nan=False, default=str)
    except (TypeError, ValueError, RecursionError) as error:
        raise NotSent(f"A value cannot be written as JSON: {error}.") from None
    return text


def read_as(kind: Any, answer: Answer) -> Any:
    """Return the body of an answer as a value of this type; of a union, as the first type that fits.

    Raises:
        UnexpectedAnswer: the body is not of this type.
    """
    try:
        found = json_text.loads(answer.body)
    except MalformedJson:
        raise _unexpected(answer, "it is not JSON") from None
    problem = ""
    for choice in get_args(kind) if isinstance(kind, UnionType) else (kind,):
        try:
            return convert(found, choice)
        except msgspec.ValidationError as error:
            problem = str(error)
    raise _unexpected(answer, problem)


def _unexpected(answer: Answer, reason: str) -> UnexpectedAnswer:
    sentence = (
        f"The answer with the status {answer.status} cannot be read: {reason}. "
        "Check the URL, and that client and service have the same version."
    )
    return UnexpectedAnswer.because(answer.status, sentence)
