"""Status requests: one thread reads all that wait, so that the event loop never waits for the database."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from queue_tool.web.http import request_ids
from queue_tool.web.http.caching import etag_of
from queue_tool.web.serving import fast_check

PATH = fast_check.PATH.encode()

MOST = 64
"""Requests that the thread reads before it hands over the responses."""

_HEADERS = [(name.lower().encode(), value.encode()) for name, value in fast_check.HEADERS]

_LEFT_TO_FLASK = frozenset(name.lower().encode() for name in fast_check.LEFT_TO_FLASK)

Read = Callable[[Sequence[str], Sequence[str]], list[bytes | None]]
"""Returns the body of the response to each path; None if Flask must answer. The second argument has their ids."""

_Waiting = tuple[str, str, "asyncio.Future[bytes | None]"]


class Checks:
    """A thread that makes the responses to `GET /check/<token>`."""

    def __init__(self, read: Read) -> None:
        """Start the thread with the first request."""
        self._read = read
        self._waiting = SimpleQueue[_Waiting]()
        self._has_thread = False

    async def body(self, path: str, request_id: str) -> bytes | None:
        """Return the body of the response to a path; None if Flask must answer.

        Args:
            path: `/check/` and a token.
            request_id: the id of the request, for the log.
        """
        if not self._has_thread:
            self._has_thread = True
            threading.Thread(target=self._run, name="checks", daemon=True).start()
        future: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._waiting.put((path, request_id, future))
        return await future

    def _run(self) -> None:
        while True:
            waiting = [self._waiting.get()]
            while len(waiting) < MOST and not self._waiting.empty():
                waiting.append(self._waiting.get())
            bodies = self._bodies([path for path, _, _ in waiting], [request_id for _, request_id, _ in waiting])
            with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                futures = [future for _, _, future in waiting]
                futures[0].get_loop().call_soon_threadsafe(_hand_over, futures, bodies)

    def _bodies(self, paths: Sequence[str], ids: Sequence[str]) -> list[bytes | None]:
        try:
            return self._read(paths, ids)
        except Exception:  # noqa: BLE001 - Flask meets the same error, and answers it as usual
            return [None] * len(paths)


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


def _hand_over(futures: list[asyncio.Future[bytes | None]], bodies: list[bytes | None]) -> None:
    for future, body in zip(futures, bodies, strict=True):
        if not future.done():
            future.set_result(body)
