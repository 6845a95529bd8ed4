"""A consumer in a thread of the test, over which the test has full control."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from queue_tool.host.in_hand import InHand
from queue_tool.ingest.consumer import MOST_BYTES, Consumer
from queue_tool.model import events
from queue_tool.model.amqp_address import address_of
from queue_tool.model.incoming import Incoming
from queue_tool.model.settings import INLINE
from queue_tool.runtime import Runtime
from queue_tool.services.receive import Outcome, Receive
from tests.conftest import News
from tests.support import LIMIT, eventually

DRAIN = 20.0
"""Seconds."""

Take = Callable[[Sequence[Incoming]], list[Outcome]]


def receive_of(runtime: Runtime) -> Receive:
    """Return the service that the consumer calls."""
    return Receive(
        submit=runtime.submit,
        ask=runtime.ask,
        types=runtime.types,
        max_body=runtime.settings.max_body,
        max_waiting=runtime.settings.max_waiting,
        runs_inline=runtime.settings.redis_url == INLINE,
    )


class Killed(BaseException):
    """The consumer ends at once, as after `kill -9`."""


@dataclass(kw_only=True)
class Consuming:
    """A running consumer."""

    runtime: Runtime
    news: News
    url: str
    queue: str
    around: Callable[[Take, Sequence[Incoming]], list[Outcome]] | None = None  # called in the place of the service
    most_bytes: int = MOST_BYTES
    groups: list[int] = field(default_factory=list)  # the sizes of the groups that were handled

    def start(self) -> Consuming:
        """Start, and wait until it consumes."""
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()
        self._ready.wait(LIMIT)
        self.await_connection(len(self.news.of(events.AmqpConnected)) + 1)
        return self

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join(LIMIT)
        assert not self._thread.is_alive()

    def await_connection(self, number: int = 1) -> None:
        """Wait until it has connected this many times."""
        eventually(lambda: len(self.news.of(events.AmqpConnected)) >= number)

    def stop(self) -> None:
        """Stop as with SIGTERM; wait for the end."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self.join()

    def _live(self) -> None:
        with suppress(Killed):
            asyncio.run(self._run())

    async def _run(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        consumer = Consumer(
            address=address_of(self.url),
            queues=[self.queue],
            receive=self._receive,
            in_hand=InHand(self.runtime.settings.data_dir),
            telemetry=self.runtime.telemetry,
            name="test",
            most_bytes=self.most_bytes,
        )
        self._ready.set()
        await consumer.run(self._stopping, DRAIN)

    def _receive(self, messages: Sequence[Incoming]) -> list[Outcome]:
        self.groups.append(len(messages))
        service = receive_of(self.runtime)
        return service(messages) if self.around is None else self.around(service, messages)
