"""A channel of a connection to RabbitMQ: declares, consumes, acknowledges, and publishes with confirmations."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pika import BasicProperties, DeliveryMode
from pika import channel as of_pika
from pika.exceptions import AMQPError, ConsumerCancelled

from queue_tool.amqp.connection import WithoutHeaders
from queue_tool.amqp.failures import refused

MOST_BYTES = 100_000
"""Bytes of the properties of a message: pika sends them in one frame, of at most 128 KiB by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Properties:
    """The properties of an AMQP message."""

    headers: Mapping[str, Any] = field(default_factory=dict)
    content_type: str | None = None
    content_encoding: str | None = None
    type: str | None = None
    message_id: str | None = None
    correlation_id: str | bytes | None = None  # bytes if it is no UTF-8: it goes back as it came
    reply_to: str | None = None
    has_unreadable_headers: bool = False  # then `headers` is empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """An AMQP message that RabbitMQ has delivered."""

    queue: str
    tag: int  # what is acknowledged
    redelivered: bool
    body: bytes
    properties: Properties


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """What a queue has."""

    messages: int  # that wait for a consumer
    consumers: int


class Channel:
    """An open channel."""

    def __init__(self, channel: of_pika.Channel) -> None:
        """Use this channel."""
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[BaseException] = self._loop.create_future()
        """Has the reason when the channel has ended, or when RabbitMQ has canceled a consumer."""
        self._awaited: set[asyncio.Future[Any]] = set()
        self._sent: dict[int, asyncio.Future[bool]] = {}  # publications that are not confirmed, by number
        self._published = 0
        self._returned = False  # whether RabbitMQ has returned the publication in progress
        channel.add_on_close_callback(lambda _, error: self._end(error))
        channel.add_on_cancel_callback(lambda _: self._end(ConsumerCancelled()))
        channel.add_on_return_callback(lambda *_: self._on_return())

    # -- declare -------------------------------------------------------------------------------------------

    async def declare_queue(
        self, name: str, arguments: Mapping[str, Any] | None = None, *, passive: bool = False
    ) -> Depth:
        """Declare a durable queue; return what it has.

        Args:
            name: its name.
            arguments: its arguments.
            passive: whether it must be there already, whatever its arguments are.

        Raises:
            AmqpMissing: it must be there, and is not. The channel has ended.
            AmqpRefused: it is declared otherwise, or the user may not do it. The channel has ended.
            AmqpAway: the connection has ended.
        """
        frame = await self._call(
            self._channel.queue_declare, name, durable=True, passive=passive, arguments=dict(arguments or {})
        )
        return Depth(messages=frame.method.message_count, consumers=frame.method.consumer_count)

    async def declare_exchange(self, name: str, *, passive: bool = False) -> None:
        """Declare a durable topic exchange; the errors are those of `declare_queue`."""
        await self._call(self._channel.exchange_declare, name, exchange_type="topic", durable=True, passive=passive)

    async def bind(self, queue: str, exchange: str) -> None:
        """Let a queue get everything that is published to an exchange; the errors are those of `declare_queue`."""
        await self._call(self._channel.queue_bind, queue, exchange, routing_key="#")

    # -- consume -------------------------------------------------------------------------------------------

    async def consume(self, queue: str, prefetch: int, hear: Callable[[Delivered], None]) -> str:
        """Consume from a queue; return the tag of the consumer.

        Args:
            queue: its name.
            prefetch: the most messages that are delivered and not acknowledged.
            hear: called with each delivered message.

        Raises:
            AmqpRefused: the user may not do it, or another consumer is the only one. The channel has ended.
            AmqpAway: the connection has ended.
        """
        await self._call(self._channel.basic_qos, prefetch_count=prefetch)

        def on_message(_: object, method: Any, properties: BasicProperties, body: bytes) -> None:
            hear(_delivered(queue, method, properties, body))

        frame = await self._call(self._channel.basic_consume, queue, on_message)
        return str(frame.method.consumer_tag)

    async def cancel(self, consumer: str) -> None:
        """Consume no more. What was delivered before can still be acknowledged."""
        if not self.lost.done():
            await self._call(self._channel.basic_cancel, consumer)

    def ack(self, tag: int, *, multiple: bool = False) -> None:
        """Acknowledge a message; with `multiple` also all before it. After the end of the channel, do nothing."""
        if self._channel.is_open:
            self._channel.basic_ack(tag, multiple)

    def give_back(self, tag: int) -> None:
        """Let a message go back to its queue. After the end of the channel, do nothing: it goes back anyway."""
        if self._channel.is_open:
            self._channel.basic_nack(tag, requeue=True)

    # -- publish -------------------------------------------------------------------------------------------

    async def confirm(self) -> None:
        """Let RabbitMQ confirm each publication."""
        await self._call(self._channel.confirm_delivery, self._on_confirm)

    async def publish(self, exchange: str, key: str, body: bytes, properties: Properties, *, kept: bool) -> bool:
        """Publish a message, and wait until RabbitMQ has confirmed it.

        Args:
            exchange: its exchange; empty: the queue whose name is the key.
            key: its routing key.
            body: its body.
            properties: its properties. It survives a restart of RabbitMQ.
            kept: whether a queue must take it. Such messages are published one after the other.

        Returns:
            Whether RabbitMQ has it: not if it refuses it, or if it must be kept and no queue takes it.

        Raises:
            AmqpRefused: RabbitMQ has closed the channel, perhaps because of this message.
            AmqpAway: the connection has ended. It is not known whether RabbitMQ has the message.
        """
        if self.lost.done():
            raise refused(self.lost.result())
        self._published += 1
        self._returned = self._returned and not kept
        confirmed = self._sent[self._published] = self._future()
        self._channel.basic_publish(exchange, key, body, _for_pika(properties), mandatory=kept)
        return bool(await confirmed) and not (kept and self._returned)

    def _on_return(self) -> None:
        self._returned = True

    def _on_confirm(self, frame: Any) -> None:
        tag, is_ack = frame.method.delivery_tag, frame.method.NAME == "Basic.Ack"
        tags = [number for number in self._sent if number <= tag] if frame.method.multiple else [tag]
        for number in tags:
            confirmed = self._sent.pop(number, None)
            if confirmed is not None and not confirmed.done():
                confirmed.set_result(is_ack)

    def close(self) -> None:
        """End the channel."""
        if self._channel.is_open:
            self._channel.close()

    # -- shared --------------------------------------------------------------------------------------------

    async def _call(self, method: Callable[..., object], *words: Any, **options: Any) -> Any:
        """Call a method of pika; return the frame with which RabbitMQ answers."""
        if self.lost.done():
            raise refused(self.lost.result())
        answered = self._future()

        def on_answer(frame: object) -> None:
            if not answered.done():
                answered.set_result(frame)

        method(*words, **options, callback=on_answer)
        return await answered

    def _future(self) -> asyncio.Future[Any]:
        """Return a future that fails when the channel ends."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self._awaited.add(future)
        future.add_done_callback(self._awaited.discard)
        return future

    def _end(self, error: BaseException) -> None:
        if not self.lost.done():
            self.lost.set_result(error)
        for future in list(self._awaited):
            if not future.done():
                future.set_exception(refused(error))


def is_sendable(properties: Properties) -> bool:
    """Return whether RabbitMQ would take these properties: headers that came may not fit into a frame with more."""
    try:
        return sum(map(len, _for_pika(properties).encode())) <= MOST_BYTES
    except (AMQPError, struct.error, OverflowError, ValueError, RecursionError):
        return False


def _delivered(queue: str, method: Any, properties: BasicProperties, body: bytes) -> Delivered:
    return Delivered(
        queue=queue,
        tag=method.delivery_tag,
        redelivered=bool(method.redelivered),
        body=body,
        properties=Properties(
            headers={_text(name) or "": value for name, value in (properties.headers or {}).items()},
            content_type=_text(properties.content_type),
            content_encoding=_text(properties.content_encoding),
            type=_text(properties.type),
            message_id=_text(properties.message_id),
            correlation_id=properties.correlation_id,
            reply_to=_text(properties.reply_to),
            has_unreadable_headers=isinstance(properties, WithoutHeaders),
        ),
    )


def _text(value: str | bytes | None) -> str | None:
    """Return the text of a property. pika returns bytes if it is no UTF-8."""
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value


def _for_pika(properties: Properties) -> BasicProperties:
    return BasicProperties(
        headers=dict(properties.headers) or None,
        content_type=properties.content_type,
        content_encoding=properties.content_encoding,
        type=properties.type,
        message_id=properties.message_id,
        correlation_id=properties.correlation_id,  # type: ignore[arg-type] # pika sends bytes too
        reply_to=properties.reply_to,
        delivery_mode=DeliveryMode.Persistent,
    )
