"""A connection to RabbitMQ."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any

import pika

from queue_tool.amqp.channel import Channel
from queue_tool.amqp.connection import Connection
from queue_tool.amqp.failures import away
from queue_tool.errors import AmqpAway
from queue_tool.model.amqp_address import AmqpAddress

HEARTBEAT = 30
"""Seconds. RabbitMQ's own default of 60 would let a silent connection stand for two minutes."""

CONNECT_WITHIN = 10.0
"""Seconds for the connection, and as many for the handshake, if the caller has the time."""

CLOSE_WITHIN = 5.0
"""Seconds that RabbitMQ may take to confirm the end of a connection."""

logging.getLogger("pika").setLevel(logging.CRITICAL)  # our own events report the same, once


class Link:
    """An open connection."""

    def __init__(self, connection: Connection, lost: asyncio.Future[BaseException]) -> None:
        """Use this connection."""
        self._connection = connection
        self.lost = lost
        """Has the reason when the connection has ended."""

    @classmethod
    async def open(cls, address: AmqpAddress, name: str, within: float = CONNECT_WITHIN) -> Link:
        """Connect.

        Args:
            address: where RabbitMQ is.
            name: the name of the connection, as RabbitMQ's tools show it.
            within: seconds for the connection, and as many for the handshake.

        Raises:
            AmqpAway: that failed. The sentence says why.
        """
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = loop.create_future()
        lost: asyncio.Future[BaseException] = loop.create_future()

        def on_open(connection: Connection) -> None:
            if opened.cancelled():  # nobody waits for it any more. pika cannot give up a handshake in progress
                connection.close()
            else:
                opened.set_result(None)

        connection = Connection(
            _parameters(address, name, within),
            on_open_callback=on_open,
            on_open_error_callback=lambda _, error: _fail(opened, error),
            on_close_callback=lambda _, error: None if lost.done() else lost.set_result(error),
            custom_ioloop=loop,
        )
        try:
            await opened
        except Exception as error:
            raise away(error) from error
        return cls(connection, lost)

    @property
    def server(self) -> str:
        """Return the name and the version of the server, as it says them."""
        properties = self._connection.server_properties or {}
        return " ".join(str(properties[part]) for part in ("product", "version") if part in properties)

    async def channel(self) -> Channel:
        """Open a channel.

        Raises:
            AmqpAway: the connection has ended.
        """
        opened: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self.lost.done():
            raise away(self.lost.result())
        channel = Channel(self._connection.channel(on_open_callback=lambda _: _settle(opened)))
        await asyncio.wait((opened, channel.lost), return_when=asyncio.FIRST_COMPLETED)
        if channel.lost.done():
            raise away(channel.lost.result())
        return channel

    def on_alarm(self, tell: Callable[[str | None], None]) -> None:
        """Call a function when RabbitMQ stops to read from this connection, with the reason, and with None later.

        It does that to connections that publish, when it has no memory or no disk space left.
        """
        self._connection.add_on_connection_blocked_callback(
            lambda _, frame: tell(str(frame.method.reason) or "no reason given")
        )
        self._connection.add_on_connection_unblocked_callback(lambda *_: tell(None))

    async def close(self) -> None:
        """End the connection. What was not acknowledged goes back to its queue."""
        if not (self._connection.is_closing or self._connection.is_closed):
            self._connection.close()
        await asyncio.wait([self.lost], timeout=CLOSE_WITHIN)


def _parameters(address: AmqpAddress, name: str, within: float) -> pika.ConnectionParameters:
    return pika.ConnectionParameters(
        host=address.host,
        port=address.port,
        virtual_host=address.virtual_host,
        credentials=pika.PlainCredentials(address.user, address.password, erase_on_connect=True),
        heartbeat=HEARTBEAT if address.heartbeat is None else address.heartbeat,
        socket_timeout=within,
        stack_timeout=2 * within,
        ssl_options=_tls(address) if address.is_encrypted else None,
        client_properties={"connection_name": name},
    )


def _tls(address: AmqpAddress) -> pika.SSLOptions:
    try:
        context = ssl.create_default_context(cafile=address.cacertfile)
        if address.certfile:
            context.load_cert_chain(address.certfile, address.keyfile)
    except OSError as error:  # an SSLError is one too
        raise AmqpAway(f"A file of the options of the URL of RabbitMQ cannot be used: {error.strerror}.") from error
    if not address.verifies:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return pika.SSLOptions(context, address.host)


def _settle(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_result(None)


def _fail(future: asyncio.Future[Any], error: BaseException | str) -> None:
    if not future.done():
        future.set_exception(error if isinstance(error, Exception) else ConnectionError(error))
