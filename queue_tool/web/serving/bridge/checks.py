"""Status requests: one thread reads all that wait, so that the event loop never waits for the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from queue_tool.web.http import request_ids
from queue_tool.web.http.caching import etag_of
from queue_tool.web.serving import fast_check
from queue_tool.web.serving.gathering import Gathering

PATH = fast_check.PATH.encode()

_HEADERS = [(name.lower().encode(), value.encode()) for name, value in fast_check.HEADERS]

_LEFT_TO_FLASK = frozenset(name.lower().encode() for name in fast_check.LEFT_TO_FLASK)

Read = Callable[[Sequence[str], Sequence[str]], list[bytes | None]]
"""Returns the body of the response to each path; None if Flask must answer. The second argument has their ids."""


def gathering(read: Read) -> Gathering[tuple[str, str], bytes]:
    """Return what makes the responses to status requests: to their paths and ids."""
    return Gathering("checks", lambda asked: read([path for path, _ in asked], [request_id for _, request_id in asked]))


def takes(scope: dict[str, Any]) -> bool:
    """Return whether this is a status request without a header that is left to Flask."""
    raw: bytes = scope["raw_path"]
    return (
        raw.startswith(PATH)
        and scope["method"] == "GET"
        and not any(name in _LEFT_TO_FLASK for name, _ in scope["headers"])
    )


def headers_of(body: bytes, request_id: str) -> list[tuple[bytes, bytes]]:
    """Return the headers of the response with this body."""
    return [
        *_HEADERS,
        (b"content-length", b"%d" % len(body)),
        (b"etag", etag_of(body).encode()),
        (request_ids.HEADER_BYTES, request_id.encode()),
    ]
