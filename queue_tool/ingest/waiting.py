"""The AMQP messages that were delivered and wait, and the groups in which they are handled."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque

from queue_tool.amqp.channel import Delivered
from queue_tool.host.in_hand import InHand
from queue_tool.model.incoming import most_beside

HEAVIEST = 4 * 2**20
"""Bytes of the bodies of a group. A heavier message is a group of its own."""


def name_of(delivered: Delivered) -> str:
    """Return a name of a message that is the same when it comes again. Others have it only if they say the same."""
    its = delivered.properties
    digest = hashlib.sha256(repr((delivered.queue, its.message_id, its.type, its.headers.get("task_type"))).encode())
    if its.message_id is None:
        digest.update(delivered.body)
    return digest.hexdigest()


class Waiting:
    """The messages that wait, in the order in which they came."""

    def __init__(self, in_hand: InHand) -> None:
        """Start without messages."""
        self._in_hand = in_hand
        self._messages: deque[Delivered] = deque()
        self._came = asyncio.Event()

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._messages)

    def add(self, delivered: Delivered) -> None:
        """Let a message wait."""
        self._messages.append(delivered)
        self._came.set()

    async def group(self) -> list[Delivered]:
        """Wait for a message; return it with those behind it that may be handled together with it."""
        while not self._messages:
            self._came.clear()
            await self._came.wait()
        group: list[Delivered] = []
        size, most = 0, most_beside(0)
        while self._messages:
            following = self._messages[0]
            size += len(following.body)
            most = min(most, self._most_beside(following))
            if group and (size > HEAVIEST or len(group) >= most):
                break
            group.append(self._messages.popleft())
        return group

    def _most_beside(self, delivered: Delivered) -> int:
        return most_beside(self._in_hand.deaths(name_of(delivered)) if delivered.redelivered else 0)
