"""Bodies: read within their limits, and only as many big ones at once as the memory is meant for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from flask import current_app, request

from queue_tool.errors import BodyTooLarge, TooManyUploads, UnsupportedMediaType
from queue_tool.model import json_text
from queue_tool.web.http.answers import runtime

EXTENSION = "queue_tool.uploads"

BIG = 4 * 2**20
"""Bytes beyond which a body counts as big; so does one that does not say its length."""

ONE_BYTE_MORE = 1
"""Read beyond the limit: a stream of unknown length is cut at its limit without a word."""

AT_ONCE = 2
"""Big bodies that one process works on at once."""


class Uploads:
    """The places for big bodies in this process."""

    def __init__(self) -> None:
        """Start with every place free."""
        self._places = threading.BoundedSemaphore(AT_ONCE)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place.

        Raises:
            TooManyUploads: all are taken.
        """
        if not self._places.acquire(blocking=False):
            raise TooManyUploads(retry_after=2)
        try:
            yield
        finally:
            self._places.release()


@contextmanager
def place_for_body() -> Iterator[None]:
    """Hold a place while the current request is worked on, if its body is big or does not say how long it is.

    Raises:
        TooManyUploads: it is big, and enough big ones are being read.
    """
    uploads: Uploads = current_app.extensions[EXTENSION]
    length = request.content_length
    with uploads.place() if length is None or length > BIG else nullcontext():
        yield


@contextmanager
def json_body() -> Iterator[tuple[bytes, object]]:
    """Read the current request's body and hold its place until its value is no longer needed.

    Yields:
        The bytes as they came, and the value.

    Raises:
        UnsupportedMediaType: it does not say that it is JSON.
        BodyTooLarge: it is larger than the limit.
        TooManyUploads: it is big, and enough big ones are being read.
        MalformedJson: it is not JSON.
    """
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    with place_for_body():
        body = request.get_data(cache=False)
        if len(body) > runtime().settings.max_body:
            raise BodyTooLarge
        yield body, json_text.loads(body)
