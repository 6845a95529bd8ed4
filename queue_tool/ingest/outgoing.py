"""What goes out: replies to those who asked for one, and refused messages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace

from queue_tool.amqp.channel import Delivered, Properties, is_sendable
from queue_tool.amqp.declaring import DEAD, declare_dead
from queue_tool.amqp.publisher import Publisher
from queue_tool.model import events
from queue_tool.model.amqp_address import AmqpAddress
from queue_tool.model.bounded_text import keepable
from queue_tool.model.telemetry import Telemetry
from queue_tool.services.receive import Refusal

HEADER = "x-queue-tool-"
"""The beginning of the names of the headers of a refused message that say why it is one."""

LONGEST_REASON = 1000
"""Characters of a sentence in a header."""

MOST_ERRORS = 8000
"""Bytes of the errors in a header."""

ROUTES = frozenset({"CC", "BCC"})
"""Headers by which RabbitMQ would send a refused message to more queues."""

LONGEST_PAUSE = 30.0
"""Seconds between two tries of a refused message that no queue takes."""


class Outgoing:
    """Publishes replies and refused messages."""

    def __init__(self, address: AmqpAddress, name: str, telemetry: Telemetry) -> None:
        """Prepare a connection; `open` opens it."""
        self._telemetry = telemetry
        self._publisher = Publisher(address, name, declare_dead, self._tell_alarm)

    async def open(self) -> None:
        """Connect, and declare the exchange of refused messages.

        Raises:
            AmqpRefused: the exchange is missing and cannot be declared.
            AmqpAway: RabbitMQ does not answer.
        """
        await self._publisher.open()

    async def reply(self, delivered: Delivered, answer: bytes) -> None:
        """Send the answer to the queue that a message names, if it names one."""
        its = delivered.properties
        if not its.reply_to:
            return
        properties = Properties(
            content_type="application/json", correlation_id=its.correlation_id or its.message_id or None
        )
        if not await self._publisher.publish("", its.reply_to, answer, properties, kept=False):
            self._telemetry.emit(events.AmqpNotPublished(kind="reply", to=its.reply_to))

    async def bury(self, delivered: Delivered, refusal: Refusal) -> None:
        """Publish a refused message to the exchange of refused messages, and return when a queue has it."""
        properties = _of_dead(delivered, _reasons(delivered.queue, refusal))
        pause = 0.5
        while not await self._publisher.publish(DEAD, delivered.queue, delivered.body, properties, kept=True):
            self._telemetry.emit(events.AmqpNotPublished(kind="refused message", to=DEAD))
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)
            await self._publisher.close()  # the next connection declares the exchange and its queue again
        self._telemetry.emit(
            events.AmqpMessageRefused(
                queue=delivered.queue,
                message_id=delivered.properties.message_id,
                code=refusal.code,
                reason=keepable(refusal.sentence, LONGEST_REASON),
            )
        )

    async def close(self) -> None:
        """End the connection."""
        await self._publisher.close()

    def _tell_alarm(self, reason: str | None) -> None:
        self._telemetry.emit(events.AmqpUnblocked() if reason is None else events.AmqpBlocked(reason=reason))


def _reasons(queue: str, refusal: Refusal) -> dict[str, object]:
    """Return the headers that say why a message is a refused message."""
    errors = list(refusal.errors)
    while len(text := json.dumps(errors)) > MOST_ERRORS:
        errors.pop()
    found = {"code": refusal.code, "reason": keepable(refusal.sentence, LONGEST_REASON), "queue": queue}
    return {HEADER + name: value for name, value in (found | ({"errors": text} if errors else {})).items()}


def _of_dead(delivered: Delivered, reasons: Mapping[str, object]) -> Properties:
    """Return the properties of a refused message: those of the message, if they fit, and the reasons."""
    its = delivered.properties
    kept = {name: value for name, value in its.headers.items() if name not in ROUTES and not name.startswith(HEADER)}
    properties = replace(its, headers={**kept, **reasons})
    return properties if is_sendable(properties) else Properties(headers=reasons, message_id=its.message_id)
