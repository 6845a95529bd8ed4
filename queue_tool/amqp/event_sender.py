"""The sender of events: it publishes the ends of a message for webhooks to an exchange, one AMQP message for each."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from queue_tool.amqp.channel import Properties
from queue_tool.amqp.declaring import declare_exchange
from queue_tool.amqp.publisher import Publisher
from queue_tool.errors import AmqpAway
from queue_tool.model import json_text
from queue_tool.model.amqp_address import LONGEST_NAME, AmqpAddress
from queue_tool.model.made_once import made_once

WITHIN = 20.0
"""Seconds for all ends of a message. A lease to deliver is longer."""

CONFIRMED = 200
"""The status of HTTP that means the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What came of publishing, in the form of an answer to a request."""

    status: int | None
    problem: str | None
    seconds: float
    text: str = ""
    retry_after: float | None = None


class EventSender:
    """Publishes to a topic exchange. Any number of threads may use it at the same time."""

    def __init__(self, address: AmqpAddress, name: str, exchange: str) -> None:
        """Open nothing yet."""
        self._exchange = exchange
        self._make = partial(Publisher, address, name, self._declare, self._hear_alarm)
        self._alarm: str | None = None  # why RabbitMQ does not read now; each try would wait there too, and come later

    def check_receiver(self, _url: str) -> None:
        """Do nothing: no user can register an exchange."""

    def send(self, _url: str, _headers: Mapping[str, str], body: bytes) -> Published:
        """Publish the ends of a message in their order; return when RabbitMQ has confirmed all of them."""
        began, problem = time.monotonic(), None
        if self._alarm is not None:
            return Published(status=None, problem=f"RabbitMQ blocks publishers: {self._alarm}.", seconds=0.0)
        done = asyncio.run_coroutine_threadsafe(self._publish(body), self._loop)
        try:
            if not done.result(WITHIN):
                problem = "RabbitMQ did not take all events."
        except AmqpAway as error:
            problem = error.sentence
        except TimeoutError:
            done.cancel()
            problem = f"RabbitMQ did not confirm the events within {WITHIN:g} seconds."
        return Published(status=None if problem else CONFIRMED, problem=problem, seconds=time.monotonic() - began)

    async def _publish(self, body: bytes) -> bool:
        channel = await self._publisher.open()
        sent = [
            channel.publish(self._exchange, key, text, properties, kept=False)
            for key, text, properties in messages_of(body)
        ]
        return all(await asyncio.gather(*sent))

    def _hear_alarm(self, reason: str | None) -> None:
        self._alarm = reason

    async def _declare(self, link: Any) -> None:
        await declare_exchange(link, self._exchange)

    @made_once
    def _loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the connection, in a thread of its own."""
        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, name="events to RabbitMQ", daemon=True).start()
        return loop

    @made_once
    def _publisher(self) -> Publisher:
        return self._make()


def messages_of(body: bytes) -> Iterator[tuple[str, bytes, Properties]]:
    """Return routing key, body and properties of the AMQP message about each end that a message lists."""
    whole: Any = json_text.loads(body)
    ends = whole["data"] if isinstance(whole["data"], list) else [whole["data"]]
    for end in ends:
        kind = end.get("type", whole["type"])
        properties = Properties(content_type="application/json", type=kind, message_id=end.get("id"))
        yield _key(kind, end.get("task_type")), json_text.dumps(end), properties


def _key(kind: str, task_type: str | None) -> str:
    """Return the routing key: `<task_type>.<state>`, or `batch.<state>`."""
    if task_type is None:
        return kind
    state = f".{kind.partition('.')[2]}"
    return task_type.encode()[: LONGEST_NAME - len(state)].decode(errors="ignore") + state
