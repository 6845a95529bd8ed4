"""Sendings: the tasks that a function sends while it runs, and what became of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypedDict

import msgspec

from queue_tool.errors import BadTask, NotSent
from queue_tool.model import json_text
from queue_tool.model.schema import FieldError

LONGEST_KEY = 255
"""Characters of a key."""

MOST_REASONS = 5
"""Reasons of a refusal that the text of its error shows."""


class SendOptions(TypedDict, total=False):
    """The options of tasks that a function sends: those of `POST /tasks`. All tasks of one call have the same.

    `on_finished` of `submit_many` is that of the batch.
    """

    name: str | None
    custom_id: str | None
    description: str | None
    parameters: Mapping[str, Any] | None
    tags: Sequence[str] | None
    priority: str | None
    timeout: float | None
    max_attempts: int | None
    unique_key: str | None
    webhook: str | None
    run_at: datetime | str | None
    delay: float | timedelta | None
    expires_at: datetime | str | None
    on_finished: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """The tasks of one call."""

    task_type: str
    data: str  # JSON text of an array: the data of each task
    options: str  # JSON text of an object
    many: bool  # whether they are a batch; otherwise it is one task
    key: str | None = None  # one that the same task has used before sends nothing
    digest: str = ""  # of type and data, if there is a key


class SentElement(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one element: a task, or a refusal with its reasons."""

    index: int
    token: str | None = None  # None: it was refused
    errors: tuple[FieldError, ...] = ()
    duplicate_of: str | None = None  # the token of the unfinished task that uses the same `unique_key`


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What became of all elements of a batch."""

    batch: str | None  # the id of the batch; None: nothing was stored
    elements: tuple[SentElement, ...]

    @property
    def tokens(self) -> list[str]:
        """Return the tokens of the accepted elements, in their order."""
        return [element.token for element in self.elements if element.token is not None]

    @property
    def refused(self) -> list[SentElement]:
        """Return the refused elements."""
        return [element for element in self.elements if element.token is None]


def sending_of(
    task_type: str, data: Sequence[object], options: Mapping[str, Any], *, key: str | None, many: bool
) -> Sending:
    """Return the sending of a call, as JSON texts, so that later changes of the data do not reach it.

    Args:
        task_type: the type of the tasks.
        data: the data of each task.
        options: the options of all tasks.
        key: makes it once per parent task.
        many: whether the tasks are a batch.

    Raises:
        NotSent: something is not JSON, or the key is not a text of 1 to 255 characters.
    """
    if not isinstance(task_type, str):
        raise NotSent(f"The task_type must be a text, not {task_type!r:.80}.")
    if key is not None and not (isinstance(key, str) and 1 <= len(key) <= LONGEST_KEY and "\0" not in key):
        raise NotSent(f"The key must be a text of 1 to {LONGEST_KEY} characters, not {key!r:.80}.")
    try:
        text = _strictly_json(data)
    except _NotJson:
        number, reason = next(filter(None, map(_fault, range(len(data)), data)), (0, "it is too deep"))
        which = f" of element {number}" if many else ""
        raise NotSent(f"The data{which} is not JSON, so nothing was sent: {reason}.") from None
    try:
        chosen = _strictly_json({name: _written(value) for name, value in options.items()})
    except _NotJson as error:
        raise NotSent(f"The options are not JSON, so nothing was sent: {error}.") from None
    digest = _digest(task_type, text, many) if key is not None else ""
    return Sending(task_type=task_type, data=text, options=chosen, many=many, key=key, digest=digest)


def requests_of(sending: Sending) -> tuple[list[dict[str, Any]], object]:
    """Return the tasks of a sending as the elements of `POST /tasks`, and `on_finished` of their batch."""
    options: Any = json_text.loads(sending.options)
    data: Any = json_text.loads(sending.data)
    on_finished = options.pop("on_finished", None) if sending.many else None
    return [options | {"task_type": sending.task_type, "data": each} for each in data], on_finished


def refusal(task_type: str, errors: Sequence[FieldError]) -> BadTask:
    """Return the error for a task that was refused. Its text has the first reasons, and `errors` has all."""
    shown = "; ".join(f"{error.path}: {error.message.rstrip('.')}" for error in errors[:MOST_REASONS])
    more = f" and {len(errors) - MOST_REASONS} more" if len(errors) > MOST_REASONS else ""
    error = BadTask(f"The task of type {task_type!r:.80} was refused, so nothing was sent: {shown}{more}.")
    error.errors = [{"path": reason.path, "message": reason.message} for reason in errors]
    return error


class _NotJson(Exception):
    """A value is not JSON. The text says why."""


def _strictly_json(value: object) -> str:
    """Return the JSON text of a value. Nothing that reads differently is accepted, but a tuple becomes an array.

    Raises:
        _NotJson: the value contains NaN, a date, a key that is no text, an integer beyond 64 bits, or the like.
    """
    try:
        text = json_text.dumps_result(value)
        json_text.dumps(value)  # refuses keys and integers that `dumps_result` would change
    except (TypeError, ValueError, RecursionError) as error:
        raise _NotJson(str(error)) from None
    return text


def _fault(index: int, value: object) -> tuple[int, str] | None:
    """Return the index of a value and the reason why it is not JSON. None if it is JSON."""
    try:
        _strictly_json(value)
    except _NotJson as error:
        return index, str(error)
    return None


def _written(option: object) -> object:
    """Return the value of an option as `POST /tasks` takes it."""
    if isinstance(option, datetime):
        return option.isoformat()
    return option.total_seconds() if isinstance(option, timedelta) else option


def _digest(task_type: str, data: str, many: bool) -> str:
    """Return a digest of type and data. The order of keys does not count: a set may give another one in each run."""
    text = json.dumps([task_type, many, json_text.loads(data)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
