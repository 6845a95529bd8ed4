"""Sending responses in the event loop: a client that does not read is cut off."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

from queue_tool.host.current_request import handling
from queue_tool.web.serving.bridge import connections
from queue_tool.web.serving.bridge.client import Client
from queue_tool.web.serving.bridge.limits import Limits
from queue_tool.web.serving.bridge.live import parts_of
from queue_tool.web.serving.bridge.responses import Ready
from queue_tool.web.serving.bridge.threads import Threads

Send = Callable[[dict[str, Any]], Awaitable[None]]

_log = logging.getLogger("queue_tool.web")


class Sender:
    """Sends the responses of this process."""

    def __init__(self, limits: Limits, threads: Threads) -> None:
        """Use these limits; make streams in these threads."""
        self._limits = limits
        self._threads = threads

    async def __call__(self, ready: Ready, send: Send, client: Client, request_id: str) -> None:
        """Send a whole response, or cut the connection if the client does not take the next piece in time.

        Args:
            ready: the response.
            send: sends an ASGI message to the client.
            client: the client.
            request_id: the id of the request, for the log.
        """
        try:
            await send({"type": "http.response.start", "status": ready.status, "headers": ready.headers})
            if ready.body is not None and len(ready.body) <= self._limits.piece:
                await send({"type": "http.response.body", "body": ready.body, "more_body": False})
                return
            async for piece in self._pieces(ready, client):
                if client.has_left:
                    return
                async with asyncio.timeout(self._limits.write):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            await self._threads.run(partial(connections.cut, client.address))
        except Exception as error:  # noqa: BLE001 - a bug; the client must not take this part for the whole
            with handling(request_id):
                _log.error("a response was cut off", exc_info=error)
            await self._threads.run(partial(connections.cut, client.address))
        finally:
            if ready.body is None:
                await self._threads.run(ready.close)

    async def _pieces(self, ready: Ready, client: Client) -> AsyncIterator[bytes]:
        """Split the body or each part of the stream; the parts are made in a thread, unless they come at any time."""
        size = self._limits.piece
        if ready.live is not None:
            async for many in parts_of(ready.live, client):
                for start in range(0, len(many), size):
                    yield many[start : start + size]
            return
        part = ready.body if ready.body is not None else await self._threads.run(ready.next_part)
        while part is not None:
            for start in range(0, len(part), size):
                yield part[start : start + size]
            part = None if ready.body is not None else await self._threads.run(ready.next_part)
