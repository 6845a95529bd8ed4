"""Reading request bodies in the event loop: slow ones are refused, and all together hold a bounded amount of memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from io import BytesIO

from queue_tool.errors import BodyTooLarge, BodyTooSlow, IncompleteBody, TooManyUploads
from queue_tool.web.serving.bridge.client import Receive
from queue_tool.web.serving.bridge.limits import Limits

RETRY_AFTER = 2

CLOSING = 1.0
"""Seconds that an unfinished body still has when the process is about to end."""


class Bodies:
    """The bodies that this process is reading. Only the event loop uses it."""

    def __init__(self, limits: Limits) -> None:
        """Read none yet."""
        self._limits = limits
        self._timeouts: set[asyncio.Timeout] = set()
        self.held = 0  # bytes

    @property
    def deadlines(self) -> list[float]:
        """Return the deadline of each body that is being read, in seconds of the event loop's clock."""
        return [timeout.when() or 0.0 for timeout in self._timeouts]

    async def read(self, receive: Receive, before_big: Callable[[], Awaitable[None]]) -> bytes:
        """Return the whole body.

        Args:
            receive: returns the next ASGI message of the client.
            before_big: called once when the body has grown big; if it raises an error, reading ends with that error.

        Raises:
            BodyTooSlow: a window brought too few bytes.
            IncompleteBody: the client left before the end of the body.
            BodyTooLarge: the body is larger than the limit.
            TooManyUploads: too many bodies are being read, or they hold too much memory.
        """
        if len(self._timeouts) >= self._limits.bodies:
            raise TooManyUploads(retry_after=RETRY_AFTER)
        try:
            async with asyncio.timeout(self._limits.window) as deadline:
                self._timeouts.add(deadline)
                try:
                    return await self._read(receive, before_big, deadline)
                finally:
                    self._timeouts.discard(deadline)
        except TimeoutError:
            raise BodyTooSlow from None

    async def _read(
        self, receive: Receive, before_big: Callable[[], Awaitable[None]], deadline: asyncio.Timeout
    ) -> bytes:
        body, size, in_window, is_big = BytesIO(), 0, 0, False
        try:
            while (message := await receive())["type"] == "http.request":
                chunk: bytes = message["body"]
                body.write(chunk)
                size += len(chunk)
                in_window += len(chunk)
                self.held += len(chunk)
                if not message["more_body"]:
                    return body.getvalue()
                self._check(size)
                if size > self._limits.big and not is_big:
                    is_big = True
                    await before_big()
                if in_window >= (self._limits.least_of_big if is_big else self._limits.least):
                    in_window = 0
                    deadline.reschedule(asyncio.get_running_loop().time() + self._limits.window)
        finally:
            self.held -= size
        raise IncompleteBody

    def _check(self, size: int) -> None:
        """Raise an error if a body of this size, or all bodies together, are too large."""
        if size > self._limits.max_body:
            raise BodyTooLarge
        if self.held > self._limits.memory:
            raise TooManyUploads(retry_after=RETRY_AFTER)

    def close(self) -> None:
        """Give all unfinished bodies a last moment: this process is about to end."""
        last = asyncio.get_running_loop().time() + CLOSING
        for timeout in self._timeouts:
            timeout.reschedule(min(last, timeout.when() or last))
