"""What RabbitMQ has of what a consumer needs, for operators. What is missing is not declared."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from queue_tool.amqp.channel import Depth
from queue_tool.amqp.declaring import DEAD, declare_work
from queue_tool.amqp.link import Link
from queue_tool.errors import AmqpAway, AmqpMissing, AmqpRefused
from queue_tool.model.amqp_address import AmqpAddress

CONNECT_WITHIN = 1.5
"""Seconds for the connection, and as many for the handshake: somebody waits for the report."""

ANSWER_WITHIN = 3.0
"""Seconds for all that is asked over the connection."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueReport:
    """A queue from which work is taken."""

    name: str
    depth: Depth | None  # None: it is missing
    weaknesses: Sequence[str] = ()  # sentences: why it may lose what waits in it


@dataclass(frozen=True, slots=True, kw_only=True)
class AmqpReport:
    """What RabbitMQ says."""

    server: str  # name and version
    queues: Sequence[QueueReport]
    keeps_refused: bool  # whether the exchange of refused messages exists
    refused: int | None  # messages in the queue behind it; None: there is no such queue, or the user may not see it


def queues_of(address: AmqpAddress, name: str, queues: Sequence[str]) -> Sequence[QueueReport]:
    """Return what RabbitMQ says of these queues, without their weaknesses.

    Args:
        address: where RabbitMQ is.
        name: the name of the connection.
        queues: the names of the queues.

    Raises:
        AmqpAway: RabbitMQ does not answer within a few seconds, or refuses something.
    """

    async def look(link: Link) -> Sequence[QueueReport]:
        return [QueueReport(name=queue, depth=await _depth(link, queue)) for queue in queues]

    return asyncio.run(_ask(address, name, look))


def report(address: AmqpAddress, name: str, queues: Sequence[str]) -> AmqpReport:
    """Return all that RabbitMQ says of what a consumer needs; arguments and errors are those of `queues_of`."""

    async def look(link: Link) -> AmqpReport:
        return AmqpReport(
            server=link.server,
            queues=[await _queue(link, queue) for queue in queues],
            keeps_refused=await _has_dead(link),
            refused=await _refused(link),
        )

    return asyncio.run(_ask(address, name, look))


async def _ask(address: AmqpAddress, name: str, look: Callable[[Link], Awaitable[Answer]]) -> Answer:
    link = await Link.open(address, name, CONNECT_WITHIN)
    try:
        return await asyncio.wait_for(look(link), ANSWER_WITHIN)
    except TimeoutError as error:
        raise AmqpAway(f"RabbitMQ does not answer within {ANSWER_WITHIN:g} seconds.") from error
    finally:
        await link.close()


async def _queue(link: Link, name: str) -> QueueReport:
    depth, weaknesses = await _depth(link, name), list[str]()
    if depth is not None:  # so this declares nothing new, but compares
        await declare_work(link, name, weaknesses.append)
    return QueueReport(name=name, depth=depth, weaknesses=weaknesses)


async def _depth(link: Link, name: str) -> Depth | None:
    try:
        return await (await link.channel()).declare_queue(name, passive=True)
    except AmqpMissing:
        return None


async def _has_dead(link: Link) -> bool:
    try:
        await (await link.channel()).declare_exchange(DEAD, passive=True)
    except AmqpMissing:
        return False
    return True


async def _refused(link: Link) -> int | None:
    try:
        depth = await _depth(link, DEAD)
    except AmqpRefused:  # the operator has other queues for them
        return None
    return None if depth is None else depth.messages
