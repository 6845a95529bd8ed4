"""The client of one request: its address, and whether it has left."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]


class Client:
    """Notices that the client of a request has left, if it is watched."""

    def __init__(self, address: tuple[str, int], receive: Receive) -> None:
        """Expect the client to be there.

        Args:
            address: IP address and port.
            receive: returns the next ASGI message of the client.
        """
        self.address = address
        self.has_left = False
        self._receive = receive
        self._lock = threading.Lock()
        self._calls: list[Callable[[], None]] = []
        self._watching: asyncio.Task[None] | None = None

    def on_leave(self, call: Callable[[], None]) -> None:
        """Call a function when the client leaves; at once if it has left. Any thread may register one."""
        with self._lock:
            if not self.has_left:
                self._calls.append(call)
                return
        call()

    def watch(self) -> None:
        """Start to watch the client. Its body must have been read."""
        if self._watching is None:
            self._watching = asyncio.ensure_future(self._watch())

    def stop_watching(self) -> None:
        """Watch no longer: the response has been sent."""
        if self._watching is not None:
            self._watching.cancel()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        with self._lock:
            self.has_left = True
            calls, self._calls = self._calls, []
        for call in calls:
            call()
