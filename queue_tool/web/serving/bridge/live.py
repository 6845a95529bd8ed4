"""Live streams: parts that come at any time. The event loop waits for them, so such a stream needs no thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Protocol

from queue_tool.web.serving.bridge.client import Client


class Live(Protocol):
    """A live stream."""

    pulse: bytes
    pulse_every: float

    def take(self) -> bytes | None:
        """Return what is there, perhaps nothing; None at the end. It does not wait."""

    def on_news(self, call: Callable[[], None]) -> None:
        """Call a function, in any thread, whenever there may be something to take."""


async def parts_of(live: Live, client: Client) -> AsyncIterator[bytes]:
    """Return the parts of a stream as they come, and a pulse after each silence, until it ends or the client leaves."""
    loop, news = asyncio.get_running_loop(), asyncio.Event()

    def tell() -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(news.set)

    live.on_news(tell)
    client.on_leave(news.set)
    while not client.has_left and (part := live.take()) is not None:
        if part:
            yield part
            continue
        try:
            async with asyncio.timeout(live.pulse_every):
                await news.wait()
        except TimeoutError:
            yield live.pulse
        news.clear()
