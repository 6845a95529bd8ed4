"""Request bodies: the size limit, and a limit for big bodies at the same time, which bounds the memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from flask import current_app, request

from queue_tool.errors import BodyTooLarge, TooManyUploads, UnsupportedMediaType
from queue_tool.model import json_text
from queue_tool.web.http.answers import runtime

EXTENSION = "queue_tool.uploads"

BIG = 4 * 2**20
"""Bytes. A larger body counts as big."""

ONE_BYTE_MORE = 1
"""Read one byte more than the limit: werkzeug cuts a stream of unknown length at its limit and reports no error."""

AT_ONCE = 2
"""Big bodies that one process handles at the same time."""


class Uploads:
    """The slots for big bodies in this process."""

    def __init__(self) -> None:
        """Start with all slots free."""
        self._slots = threading.BoundedSemaphore(AT_ONCE)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a slot during the block.

        Raises:
            TooManyUploads: all slots are taken.
        """
        if not self._slots.acquire(blocking=False):
            raise TooManyUploads(retry_after=2)
        try:
            yield
        finally:
            self._slots.release()


def has_body() -> bool:
    """Return whether the current request has a body, which may turn out to be empty if its length is not known."""
    environ = request.environ
    if "HTTP_TRANSFER_ENCODING" in environ:
        return True
    return environ.get("CONTENT_LENGTH", "0") not in ("", "0") and bool(request.content_length)


@contextmanager
def slot_for_body(start: bytes = b"") -> Iterator[None]:
    """Hold a slot during the block if the current request's body is big.

    Args:
        start: what has been read of it. A body of unknown length takes a slot only once it has grown big.

    Raises:
        BodyTooLarge: the body is larger than the limit. Then the server may not have read it.
        TooManyUploads: all slots for big bodies are taken.
    """
    if (request.content_length or 0) > runtime().settings.max_body:
        raise BodyTooLarge
    uploads: Uploads = current_app.extensions[EXTENSION]
    with uploads.slot() if max(request.content_length or 0, len(start)) > BIG else nullcontext():
        yield


@contextmanager
def _whole_body() -> Iterator[bytes]:
    """Read the current request's body. A big one holds a slot during the block.

    Only Flask's own server has bodies of unknown length; in front of granian the event loop has read them.

    Raises:
        TooManyUploads: the body is big, and all slots for big bodies are taken.
    """
    start = request.stream.read(BIG + 1) if request.content_length is None else b""
    with slot_for_body(start):
        yield start + request.stream.read() if start else request.get_data(cache=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonBody:
    """A body that may be any JSON."""

    text: bytes  # as received
    value: object


NOTHING = JsonBody(text=b"", value=None)
"""The value of a body that is missing, or not JSON, where that is no error."""


@contextmanager
def json_body(*, is_optional: bool = False, lines: Sequence[str] = ()) -> Iterator[JsonBody]:
    """Read the current request's body as JSON. A big body holds its slot until the block ends.

    Args:
        is_optional: whether the body may be missing or have another Content-Type. Then it is not read.
        lines: the Content-Types of an array that is sent as one element on each line.

    Raises:
        UnsupportedMediaType: the Content-Type is none of these, and not `application/json`.
        BodyTooLarge: the body is larger than the limit.
        TooManyUploads: the body is big, and all slots for big bodies are taken.
        MalformedJson: the body is not JSON.
    """
    if is_optional and not (has_body() and request.mimetype == "application/json"):
        yield NOTHING
        return
    has_lines = request.mimetype in lines
    if not has_lines and request.mimetype != "application/json":
        raise UnsupportedMediaType
    with _whole_body() as body:
        if len(body) > runtime().settings.max_body:
            raise BodyTooLarge
        yield JsonBody(text=body, value=json_text.loads_lines(body) if has_lines else json_text.loads(body))
