"""What must be there in RabbitMQ: declared if it is missing, and used as it is if it was declared otherwise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

from queue_tool.amqp.channel import Channel
from queue_tool.amqp.link import Link
from queue_tool.errors import AmqpRefused

DEAD = "queue_tool.dead"
"""The exchange of refused messages, and the queue that keeps them."""

WORK = {"x-queue-type": "quorum", "x-dead-letter-exchange": DEAD}
"""The arguments of a queue of work: it survives the loss of a node, and drops nothing that came too often."""

KEPT = {"x-queue-type": "quorum"}

NOT_DURABLE = "The queue {name} is not durable: what waits in it is lost when RabbitMQ restarts. Declare it as durable."

STREAM = (
    "The queue {name} is a stream: what it gets while nobody consumes would never come. Declare it as a quorum queue."
)


async def declare_work(link: Link, name: str, warn: Callable[[str], None]) -> None:
    """Declare a queue of work, or use the one that is there.

    Args:
        link: the connection.
        name: the name of the queue.
        warn: called with a sentence if the queue may lose what waits in it.

    Raises:
        AmqpRefused: it is missing, and the user may not declare it; or it is a stream.
        AmqpAway: the connection has ended.
    """
    refusal = await _declared(
        link,
        lambda channel: channel.declare_queue(name, WORK),
        lambda channel: channel.declare_queue(name, passive=True),
    )
    wanted, _, present = ("" if refusal is None else refusal.sentence).partition("but current is")
    if "arg 'durable'" in wanted:
        warn(NOT_DURABLE.format(name=name))
    if "'stream'" in present:
        raise AmqpRefused(STREAM.format(name=name))


async def declare_dead(link: Link) -> None:
    """Declare the exchange of refused messages with a queue, or use what is there.

    Raises:
        AmqpRefused: the exchange is missing, and the user may not declare it.
        AmqpAway: the connection has ended.
    """
    await declare_exchange(link, DEAD)
    with suppress(AmqpRefused):  # the operator has other queues for them, or a letter is returned and tried again
        await _declared(
            link,
            lambda channel: channel.declare_queue(DEAD, KEPT),
            lambda channel: channel.declare_queue(DEAD, passive=True),
        )
        channel = await link.channel()
        await channel.bind(DEAD, DEAD)
        channel.close()


async def declare_exchange(link: Link, name: str) -> None:
    """Declare a topic exchange, or use the one that is there; the errors are those of `declare_dead`."""
    await _declared(
        link,
        lambda channel: channel.declare_exchange(name),
        lambda channel: channel.declare_exchange(name, passive=True),
    )


async def _declared(
    link: Link, declare: Callable[[Channel], Awaitable[object]], look: Callable[[Channel], Awaitable[object]]
) -> AmqpRefused | None:
    """Declare something. If RabbitMQ refuses that, look whether it is there, and return the refusal."""
    channel, refusal = await link.channel(), None
    try:
        await declare(channel)
    except AmqpRefused as error:
        channel, refusal = await link.channel(), error
        try:
            await look(channel)
        except AmqpRefused:
            raise refusal from None  # it says why this is missing
    channel.close()
    return refusal
