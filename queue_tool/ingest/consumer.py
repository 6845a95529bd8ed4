"""The consumer: connects to RabbitMQ, again and again if need be, and consumes until it is told to stop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from queue_tool.amqp.channel import Channel
from queue_tool.amqp.declaring import declare_work
from queue_tool.amqp.failures import away
from queue_tool.amqp.link import Link
from queue_tool.errors import AmqpAway
from queue_tool.host.in_hand import InHand
from queue_tool.ingest.handling import Handling
from queue_tool.ingest.outgoing import Outgoing
from queue_tool.model import events
from queue_tool.model.amqp_address import AmqpAddress
from queue_tool.model.incoming import Incoming
from queue_tool.model.telemetry import Telemetry
from queue_tool.services.receive import Outcome

PREFETCH = 500
"""Messages of each queue that are delivered and not acknowledged. One group has as many."""

MOST_BYTES = 256 * 2**20
"""Bytes of all of them together. If they have more, fewer are taken at a time."""

MORE_AFTER = 300.0
"""Seconds after which twice as many are taken again, if there was room for all."""

LONGEST_PAUSE = 5.0
"""Seconds between two tries to connect."""

BRIEF = 1.0
"""Seconds. If a connection ends sooner, the next pause is longer, as if it had failed."""


Result = TypeVar("Result")


class Consumer:
    """Consumes from queues of RabbitMQ."""

    def __init__(
        self,
        *,
        address: AmqpAddress,
        queues: Sequence[str],
        receive: Callable[[Sequence[Incoming]], list[Outcome]],
        in_hand: InHand,
        telemetry: Telemetry,
        name: str,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """Prepare.

        Args:
            address: where RabbitMQ is.
            queues: the names of the queues.
            receive: stores the work of messages. It is called in another thread.
            in_hand: notes what may kill this process.
            telemetry: receives the events.
            name: the name of the connections.
            most_bytes: of the messages in memory.
        """
        self._address, self._queues, self._name = address, queues, name
        self._receive, self._in_hand, self._telemetry = receive, in_hand, telemetry
        self._outgoing = Outgoing(address, f"{name} (publisher)", telemetry)
        self._thread = ThreadPoolExecutor(1, "receive")
        self._most_bytes, self._prefetch = most_bytes, PREFETCH
        self._reported = ""  # the reason of the last failure, until a connect succeeds

    async def run(self, stopping: asyncio.Event, drain: float) -> None:
        """Consume until the event is set; then handle and acknowledge what was delivered.

        Args:
            stopping: the event.
            drain: seconds that this may take at the end. What is left then goes back to its queue.
        """
        try:
            await self._consume(stopping, drain)
        finally:
            await self._outgoing.close()
            self._thread.shutdown()

    async def _consume(self, stopping: asyncio.Event, drain: float) -> None:
        failures = 0
        while not stopping.is_set():
            began = time.monotonic()
            try:
                await self._session(stopping, drain)
            except AmqpAway as error:
                failures = failures + 1 if self._reported or time.monotonic() - began < BRIEF else 0
                self._report(error)
                await _unless(stopping, asyncio.sleep(min(LONGEST_PAUSE, 0.1 * 2 ** min(failures, 10))))

    async def _session(self, stopping: asyncio.Event, drain: float) -> None:
        """Consume over one connection, until it ends or the event is set.

        Raises:
            AmqpAway: the connection, the channel or a consumer has ended.
        """
        opened = await _unless(stopping, self._open())
        if opened is None:
            return
        link, channel = opened
        handling = Handling(
            channel,
            outgoing=self._outgoing,
            receive=self._receive,
            in_hand=self._in_hand,
            thread=self._thread,
            telemetry=self._telemetry,
            most_bytes=self._most_bytes,
        )
        try:
            await self._take(channel, handling, stopping)
            await handling.finish(drain)
        finally:
            await handling.abandon()
            await link.close()

    async def _take(self, channel: Channel, handling: Handling, stopping: asyncio.Event) -> None:
        """Consume from all queues until the event is set, as many messages at a time as there is room for.

        Raises:
            AmqpAway: the connection, the channel or a consumer has ended.
        """
        consumers = await self._consumers(channel, handling)
        self._reported = ""
        self._telemetry.emit(events.AmqpConnected(server=self._address.shown, queues=", ".join(self._queues)))
        while True:
            patience = MORE_AFTER if self._prefetch < PREFETCH else None
            is_full = await handling.until_full(channel.lost, stopping, patience)
            await self._end(channel, consumers)
            if is_full:
                self._take_fewer(handling.room)
                await handling.until_empty(channel.lost, stopping)
            else:
                self._prefetch = min(PREFETCH, 2 * self._prefetch)
            if stopping.is_set():
                return
            consumers = await self._consumers(channel, handling)

    async def _consumers(self, channel: Channel, handling: Handling) -> list[str]:
        """Consume from all queues; return the tags of the consumers."""
        return [await channel.consume(queue, self._prefetch, handling.add) for queue in self._queues]

    async def _end(self, channel: Channel, consumers: Sequence[str]) -> None:
        """Consume no more.

        Raises:
            AmqpAway: the channel has ended.
        """
        if channel.lost.done():
            raise away(channel.lost.result())
        for consumer in consumers:
            await channel.cancel(consumer)

    def _take_fewer(self, count: int) -> None:
        """Take fewer messages at a time, because so many of all queues were all that there is room for."""
        self._prefetch = max(1, min(self._prefetch, count // (2 * len(self._queues))))
        reason = f"AMQP messages are large: at most {self._prefetch} of each queue are taken at a time now"
        self._telemetry.emit(events.Warned(reason=reason))

    async def _open(self) -> tuple[Link, Channel]:
        """Connect, and declare what is missing.

        Raises:
            AmqpAway: RabbitMQ does not answer, or refuses something.
        """
        link = await Link.open(self._address, self._name)
        try:
            await self._outgoing.open()
            for queue in self._queues:
                await declare_work(link, queue, lambda reason: self._telemetry.emit(events.Warned(reason=reason)))
            return link, await link.channel()
        except BaseException:
            await link.close()
            raise

    def _report(self, error: AmqpAway) -> None:
        """Report a failure once, until another one follows or a connect succeeds."""
        if error.sentence != self._reported:
            self._telemetry.emit(events.AmqpLost(server=self._address.shown, reason=error.sentence))
        self._reported = error.sentence


async def _unless(stopping: asyncio.Event, work: Coroutine[Any, Any, Result]) -> Result | None:
    """Do something; give it up and return None if the event is set before that is done."""
    task, stop = asyncio.create_task(work), asyncio.create_task(stopping.wait())
    await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return None
    return task.result()
