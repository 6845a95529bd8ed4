"""An AMQP message that brings work: what its body, properties and headers ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from queue_tool.errors import (
    BadContinuation,
    BadIdempotencyKey,
    BadParameter,
    BodyTooLarge,
    MalformedJson,
    UnsupportedMediaType,
)
from queue_tool.model import json_text
from queue_tool.model.batch import Label
from queue_tool.model.labels import label_of
from queue_tool.model.queues import Priority

JSON = "application/json"

PLAIN_ENCODINGS = frozenset({"", "utf-8", "identity"})
"""Values of `content_encoding` that change nothing. Some libraries write the character set there."""

METADATA = "metadata."
"""The beginning of the names of headers that are metadata of the batch."""

HEADERS = ("task_type", "name", "priority", "webhook", "on_finished", "idempotency_key")
"""The other headers that are read. All others are ignored: brokers and libraries add some."""

UNREADABLE = "The headers cannot be read: a time in them is beyond the year 9999, or they are nested too deeply."

LONGEST_KEY = 255
"""Characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """An AMQP message, as it came."""

    queue: str
    body: bytes
    content_type: str | None = None
    content_encoding: str | None = None
    type: str | None = None
    message_id: str | None = None
    headers: Mapping[str, object] = field(default_factory=dict)
    has_unreadable_headers: bool = False  # then `headers` is empty
    redelivered: bool = False  # whether it was delivered before


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The work that an AMQP message brings."""

    value: object  # a list of elements, or one task
    task_type: str | None  # of all elements, which then are the data itself; None: each is an object with its own type
    label: Label
    priority: Priority | None
    on_finished: object
    key: str | None  # with the same key, the same work is stored once
    digest: bytes  # what must be the same if the key is the same, besides the body


def work_of(incoming: Incoming, max_body: int) -> Work:
    """Return the work that an AMQP message brings.

    Args:
        incoming: the AMQP message.
        max_body: the most bytes that its body may have.

    Raises:
        QueueToolError: it cannot be understood. The sentence says why.
    """
    if len(incoming.body) > max_body:
        raise BodyTooLarge
    if incoming.has_unreadable_headers:
        raise BadParameter(UNREADABLE)
    texts = {name: text for name in HEADERS if (text := _text(name, incoming.headers.get(name))) is not None}
    metadata = {
        name.removeprefix(METADATA): _text(name, value) or ""
        for name, value in incoming.headers.items()
        if name.startswith(METADATA)
    }
    task_type = incoming.type or texts.get("task_type")
    sent = {**texts, **{METADATA + name: text for name, text in metadata.items()}, "task_type": task_type}
    return Work(
        value=_value(incoming),
        task_type=task_type,
        label=label_of(texts.get("name"), metadata, texts.get("webhook")),
        priority=_priority(texts.get("priority"), task_type),
        on_finished=_on_finished(texts.get("on_finished")),
        key=_key(incoming.message_id or texts.pop("idempotency_key", None)),
        digest=json_text.dumps(dict(sorted(sent.items()))),
    )


def _value(incoming: Incoming) -> object:
    if (incoming.content_encoding or "").lower() not in PLAIN_ENCODINGS:
        raise UnsupportedMediaType("The body must not be encoded: send it without content_encoding.")
    media = (incoming.content_type or JSON).partition(";")[0].strip().lower()
    if media in json_text.LINES:
        return json_text.loads_lines(incoming.body)
    if media != JSON:
        raise UnsupportedMediaType(f"The content_type must be {JSON}, or {json_text.LINES[0]} for one element a line.")
    return json_text.loads(incoming.body)


def _text(name: str, value: object) -> str | None:
    """Return the text of a header; None if it is missing."""
    if value is not None and not (isinstance(value, str) and "\0" not in value):
        raise BadParameter(f"The header {name!r:.80} must be a text without null characters.")
    return value


def _priority(text: str | None, task_type: str | None) -> Priority | None:
    if text is None:
        return None
    if task_type is None:
        raise BadParameter("The header priority needs a task type: each task without one says its own priority.")
    if text not in list(Priority):
        raise BadParameter(f"The header priority must be one of {', '.join(Priority)}.")
    return Priority(text)


def _on_finished(text: str | None) -> object:
    try:
        return None if text is None else json_text.loads(text)
    except MalformedJson as error:
        raise BadContinuation(f"The header on_finished is not valid JSON: {error.sentence}") from None


def _key(text: str | None) -> str | None:
    if text is not None and not (len(text) <= LONGEST_KEY and "\0" not in text):
        raise BadIdempotencyKey(f"The message_id may have at most {LONGEST_KEY} characters, and no null character.")
    return text or None


MOST_DEATHS = 3
"""Processes that may die with a message in hand that had come before. Then it is refused."""


def most_beside(deaths: int) -> int:
    """Return how many messages may be in hand together with one with which so many processes have died.

    One of them kills the process, and this finds out which one.
    """
    return {0: 500, 1: 16}.get(deaths, 1)
