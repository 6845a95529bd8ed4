"""A publisher: a connection of its own for what is published, because RabbitMQ may stop to read from such connections.

It does so when it has no memory or no disk space left. Acknowledgments over the other connection still arrive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import count

from queue_tool.amqp.channel import Channel, Properties
from queue_tool.amqp.link import Link
from queue_tool.errors import AmqpAway, AmqpRefused
from queue_tool.model.amqp_address import AmqpAddress

MOST_REFUSALS = 3
"""Times that RabbitMQ may close the channel before a message counts as refused: another one may have been at fault."""

LONGEST_PAUSE = 5.0
"""Seconds between two tries."""


class Publisher:
    """Publishes, and connects again as often as needed."""

    def __init__(
        self,
        address: AmqpAddress,
        name: str,
        declare: Callable[[Link], Awaitable[None]],
        tell_alarm: Callable[[str | None], None],
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            address: where RabbitMQ is.
            name: the name of the connection.
            declare: declares what it publishes to, before each channel is used.
            tell_alarm: called when RabbitMQ stops to read, with the reason, and with None when it goes on.
        """
        self._address, self._name, self._declare, self._tell_alarm = address, name, declare, tell_alarm
        self._link: Link | None = None
        self._channel: Channel | None = None
        self._is_blocked = False
        self._opening = asyncio.Lock()
        self._kept_in_progress = asyncio.Lock()

    async def open(self) -> Channel:
        """Return the channel. Connect if there is none.

        Raises:
            AmqpRefused: what it publishes to cannot be declared.
            AmqpAway: RabbitMQ does not answer.
        """
        async with self._opening:
            if self._link is None or self._link.lost.done():
                self._link = await Link.open(self._address, self._name)
                self._link.lost.add_done_callback(lambda _: self._on_alarm(None))
                self._link.on_alarm(self._on_alarm)
                self._channel = None
            if self._channel is None or self._channel.lost.done():
                await self._declare(self._link)  # the channel has perhaps ended because the exchange was deleted
                channel = await self._link.channel()
                await channel.confirm()
                self._channel = channel
            return self._channel

    async def publish(self, exchange: str, key: str, body: bytes, properties: Properties, *, kept: bool) -> bool:
        """Publish a message; return when RabbitMQ has confirmed it. While RabbitMQ is away, try again.

        It may arrive twice: if a connection ends, it is not known whether RabbitMQ has it.

        Args:
            exchange: its exchange; empty: the queue whose name is the key.
            key: its routing key.
            body: its body.
            properties: its properties.
            kept: whether a queue must take it.

        Returns:
            Whether RabbitMQ has it.
        """
        async with AsyncExitStack() as held:
            if kept:
                await held.enter_async_context(self._kept_in_progress)
            return await self._publish(exchange, key, body, properties, kept=kept)

    async def _publish(self, exchange: str, key: str, body: bytes, properties: Properties, *, kept: bool) -> bool:
        refusals = 0
        for number in count(1):
            try:
                channel = await self.open()
                return await channel.publish(exchange, key, body, properties, kept=kept)
            except AmqpRefused:
                refusals += 1
                if refusals == MOST_REFUSALS:
                    return False
            except AmqpAway:
                await asyncio.sleep(min(LONGEST_PAUSE, 0.1 * 2 ** min(number, 10)))
        raise AssertionError("unreachable: it is tried forever")

    def _on_alarm(self, reason: str | None) -> None:
        """Tell that RabbitMQ does not read, or that it does again, or that this connection has ended."""
        if reason is not None or self._is_blocked:
            self._tell_alarm(reason)
        self._is_blocked = reason is not None

    async def close(self) -> None:
        """End the connection, if there is one. The next message opens another one."""
        link, self._link = self._link, None
        if link is not None:
            await link.close()
